import { describe, expect, it } from "vitest";
import { type UpdatableEngine, updatableEngine } from "../../src/engine/indexed.js";
import { OutcomeBatch } from "../../src/engine/outcome-batch.js";
import { parseAddress } from "../../src/packet/address.js";
import { batchOf } from "../../src/packet/batch.js";
import { ProblemError } from "../../src/ruleset/problem.js";
import type { Rule } from "../../src/ruleset/types.js";
import { context, NODE, packet, rules } from "./rules.js";

const FIRST = "-d 10.0.0.1/32 -p tcp -m tcp --dport 80";
const LINES = [
  `-A PREROUTING ${FIRST} -j svc-a`,
  "-A PREROUTING -d 10.0.0.2/32 -p tcp -m tcp --dport 80 -j svc-b",
  "-A svc-a -m statistic --mode random --probability 0.5 -j sep-1",
  "-A svc-a -j sep-2",
  "-A svc-b -j sep-2",
  "-A sep-1 -p tcp -m tcp -j DNAT --to-destination 10.1.0.1:8080",
  "-A sep-2 -p tcp -m tcp -j DNAT --to-destination 10.1.0.2:8080",
];

const engineOf = (lines = LINES): UpdatableEngine => updatableEngine(rules({ nat: lines }).ruleset, { node: NODE });

/** The rules of a chain in lines of table nat. */
function chainRules(name: string, lines: readonly string[]): readonly Rule[] {
  return rules({ nat: lines }).ruleset.tables[0]!.chains.find((chain) => chain.name === name)!.rules;
}

const change = (name: string, own: readonly Rule[] | undefined) =>
  ({ family: "ip", table: "nat", name, chain: own === undefined ? undefined : { name, rules: own } }) as const;

function destinationsOf(engine: UpdatableEngine, dst: string): string[] {
  const { outcomes } = engine.outcomes(packet(`10.9.0.1:1000 ${dst}`), context());
  return outcomes.map(({ outcome }) => `${outcome.destination?.address}`).sort();
}

const address = (text: string): string => String(parseAddress(text));

describe("an update", () => {
  it("changes the destination of the services that depend on a chain, and of no other", () => {
    const engine = engineOf();
    expect(destinationsOf(engine, "10.0.0.1:80")).toEqual([address("10.1.0.1"), address("10.1.0.2")]);
    const [drawing] = LINES.slice(2, 3);
    const lines = [drawing!, "-A svc-a -j sep-3", "-A sep-3 -p tcp -m tcp -j DNAT --to-destination 10.1.0.3:8080"];
    const report = engine.update([
      change("svc-a", chainRules("svc-a", lines)),
      change("sep-3", chainRules("sep-3", lines)),
    ]);
    expect(report).toEqual({ kind: "incremental", chains: 2, destinations: 1 });
    expect(destinationsOf(engine, "10.0.0.1:80")).toEqual([address("10.1.0.1"), address("10.1.0.3")]);
    expect(destinationsOf(engine, "10.0.0.2:80")).toEqual([address("10.1.0.2")]);
  });

  it("keeps the ids of rules that stay, and gives no id a second time", () => {
    const engine = engineOf();
    const ids = () => new Map(engine.plan.resolved.rules.map(({ rule, id }) => [rule, id]));
    const before = ids();
    const [first, second] = engine.plan.resolved.rules
      .filter(({ chain }) => chain.name === "svc-a")
      .map(({ rule }) => rule);
    engine.update([change("svc-a", [{ ...first! }, second!])]);
    const after = ids();
    expect(after.get(second!)).toBe(before.get(second!));
    const fresh = engine.plan.resolved.rules.find(({ chain, number }) => chain.name === "svc-a" && number === 1)!;
    expect([...before.values()]).not.toContain(fresh.id);
    // A base chain that comes or goes takes a full compile; ids stay all the same.
    const base = { type: "filter", hook: "forward", priority: -5, policy: "drop" } as const;
    const chain = { name: "MINE", base, rules: [] };
    expect(engine.update([{ family: "ip", table: "nat", name: "MINE", chain }])).toMatchObject({ kind: "full" });
    expect(ids().get(second!)).toBe(before.get(second!));
  });

  it("that fails leaves everything as it was", () => {
    const engine = engineOf();
    const { ruleset } = engine.plan.resolved;
    const lost = chainRules("svc-a", ["-A svc-a -j gone"]);
    const loop = chainRules("sep-1", ["-A sep-1 -j svc-a"]);
    const wrong = chainRules("sep-1", ["-A sep-1 -j MASQUERADE"]);
    for (const changes of [
      [change("svc-a", lost)],
      [change("sep-1", undefined)],
      [change("sep-1", loop)],
      [change("sep-1", wrong)],
      [change("svc-b", []), change("none", undefined)],
      [{ ...change("svc-a", []), table: "mangle" }],
      [change("PREROUTING", undefined), change("svc-a", lost)],
    ]) {
      expect(() => engine.update(changes)).toThrow(ProblemError);
      expect(engine.plan.resolved.ruleset).toBe(ruleset);
      expect(destinationsOf(engine, "10.0.0.1:80")).toEqual([address("10.1.0.1"), address("10.1.0.2")]);
      expect(destinationsOf(engine, "10.0.0.2:80")).toEqual([address("10.1.0.2")]);
    }
  });

  it("cannot come between the packets of a batch", () => {
    const engine = engineOf();
    const batch = batchOf([packet("10.9.0.1:1000 10.0.0.1:80")]);
    let refusal: unknown;
    const draw = (): number => {
      try {
        engine.update([change("svc-a", [])]);
      } catch (thrown) {
        refusal = thrown;
      }
      return 0;
    };
    const out = new OutcomeBatch("ip", 1);
    engine.classifyBatch(batch, context({ draw }), out);
    expect(String(refusal)).toContain("while a batch runs");
    expect(out.get(0).dst).toBe(parseAddress("10.1.0.1"));
    engine.update([change("svc-a", [])]);
    engine.classifyBatch(batch, context({ draw: () => 0 }), out);
    expect(out.get(0).dst).toBe(parseAddress("10.0.0.1"));
  });
});
