import * as fc from "fast-check";
import seedrandom from "seedrandom";
import { describe, expect, it } from "vitest";
import { dumpPlan } from "../../src/cli/draw/plan.js";
import { compile } from "../../src/engine/compile/compile.js";
import { columnEngine, indexedEngine, type UpdatableEngine, updatableEngine } from "../../src/engine/indexed.js";
import { verify } from "../../src/engine/verify/verify.js";
import { linearEngine, outcomeKey } from "../../src/engine/linear.js";
import { OutcomeBatch } from "../../src/engine/outcome-batch.js";
import { settingsOf } from "../../src/kube/configuration.js";
import { LAYOUTS } from "../../src/kube/iptables-mode/layout.js";
import { changesOfSync } from "../../src/kube/iptables-mode/sync-changes.js";
import { planSync } from "../../src/kube/iptables-mode/sync.js";
import { writeIptables } from "../../src/kube/iptables-mode/write.js";
import { type ServicePort, servicePortsOf } from "../../src/kube/services.js";
import { synthesizeCluster } from "../../src/kube/synthetic.js";
import { PacketBatch } from "../../src/packet/batch.js";
import { Node } from "../../src/packet/node.js";
import { changesBetween } from "../../src/ruleset/changes.js";
import { ProblemError } from "../../src/ruleset/problem.js";
import { resolve } from "../../src/ruleset/resolve.js";
import type { Chain, RuleSet } from "../../src/ruleset/types.js";
import { packetsFor } from "../arbitrary/packets.js";
import { arbitraryRuleSet } from "../arbitrary/ruleset.js";
import { NODE } from "../engine/rules.js";
import { contextFor } from "./engines-agree.js";

const long = process.env.CHAINWALK_LONG === "1";
const seed = Number(process.env.CHAINWALK_SEED ?? 20260104);
const rerun = `rerun: CHAINWALK_SEED=${seed} npx vitest run --config test/vitest.config.ts test/law/updates.test.ts`;

/** The updated engine is the one a fresh compile would give, and fares as linear does over the changed rule set. */
function expectFresh(engine: UpdatableEngine, packets: number, name: string): void {
  const { resolved, node } = engine.plan;
  const fresh = compile(resolve(resolved.ruleset), node);
  expect(dumpPlan(engine.plan), `${name}; ${rerun}`).toEqual(dumpPlan(fresh));
  const linear = linearEngine(resolved);
  const sent = packetsFor(resolved, node, "ip", packets, name);
  const batch = new PacketBatch("ip", sent.length);
  sent.forEach((packet, i) => batch.set(i, packet, i));
  const [want, got] = [new OutcomeBatch("ip", sent.length), new OutcomeBatch("ip", sent.length)];
  const refused = sent.map((packet, i) => {
    const context = contextFor(node, seed, i);
    const [a, b] = [linear, engine].map((one) => {
      try {
        return outcomeKey(one.classify(packet, context));
      } catch (thrown) {
        if (thrown instanceof ProblemError) return thrown.message;
        throw thrown;
      }
    });
    expect(b, `${name}, packet ${i}; ${rerun}`).toBe(a);
    return !a!.startsWith("[");
  });
  if (refused.includes(true)) return;
  linear.classifyBatch(batch, contextFor(node, seed), want);
  // Other engines over the changed rule set too, whose chains are no longer numbered without holes.
  for (const one of [engine, columnEngine(resolved, { node }), indexedEngine(resolved, { node, draws: "replay" })]) {
    one.classifyBatch(batch, contextFor(node, seed), got);
    for (let i = 0; i < sent.length; i++)
      expect(got.get(i), `${name}, packet ${i} of a batch of ${one.name}; ${rerun}`).toEqual(want.get(i));
  }
}

describe("an updated plan equals a fresh one", () => {
  it("over sequences of syncs of a cluster", { timeout: 3_600_000 }, () => {
    const layout = LAYOUTS["v1.30"];
    for (let run = 0; run < (long ? 20 : 2); run++) {
      const random = seedrandom.alea(`${seed} ${run}`);
      const below = (n: number): number => Math.floor(random() * n);
      const cluster = synthesizeCluster({ services: 120, endpoints: 4, seed: seed + run, affinity: 0.1, empty: 0.1 });
      const settings = settingsOf(cluster.configuration, cluster.node, "ip");
      let ports: ServicePort[] = servicePortsOf(cluster.objects, "ip", cluster.node.name, layout.services);
      const spare = ports.splice(100);
      const engine = updatableEngine(writeIptables(ports, settings, layout), {
        node: new Node(cluster.node.addresses),
        draws: "replay",
      });
      const kinds = { incremental: 0, full: 0 };
      for (let step = 0; step < 30; step++) {
        const after = [...ports];
        for (let k = below(3); k >= 0; k--) {
          const at = below(after.length);
          const port = after[at]!;
          const dice = random();
          if (dice < 0.15 && spare.length > 0) after.splice(at, 0, spare.pop()!);
          else if (dice < 0.3) spare.push(...after.splice(at, 1));
          else after[at] = otherEndpoints(port, dice < 0.4 ? 0 : 1 + below(6), ports[below(ports.length)]!);
        }
        const sync = planSync(ports, after, settings, layout);
        const { kind } = engine.update(changesOfSync(engine.plan.resolved.ruleset, sync));
        kinds[kind]++;
        ports = after;
        expectFresh(engine, step % 5 === 0 ? 400 : 40, `run ${run}, step ${step}`);
      }
      expect(kinds.incremental).toBeGreaterThan(20);
      const { equal, reason } = verify(engine.plan);
      expect({ equal, reason }, `run ${run}; ${rerun}`).toEqual({ equal: true, reason: undefined });
    }
  });

  it("over sequences of changed chains of random rule sets", { timeout: 3_600_000 }, () => {
    const kinds = { incremental: 0, full: 0, refused: 0 };
    const versions = fc.tuple(
      ...Array.from({ length: 4 }, () => arbitraryRuleSet({ rules: 12, evaluable: true, family: "ip" })),
    );
    fc.assert(
      fc.property(versions, fc.infiniteStream(fc.nat(3)), fc.nat(), (all, turns, packetSeed) => {
        const [first] = all;
        if (resolve(first!).problems.some(({ severity }) => severity === "error")) return;
        const engine = updatableEngine(first!, { node: NODE, draws: "replay" });
        const next = (): number => turns.next().value as number;
        for (let step = 0; step < 4; step++) {
          const { ruleset } = engine.plan.resolved;
          // Some chains as another version has them; a chain may come back as it was.
          const wanted: RuleSet = {
            tables: ruleset.tables.map((table) => ({
              ...table,
              chains: table.chains.map((chain): Chain => {
                const other = all[next()]!.tables.find(({ name }) => name === table.name);
                const same = other?.chains.find(({ name }) => name === chain.name);
                return next() === 0 && same !== undefined ? same : chain;
              }),
            })),
          };
          const before = dumpPlan(engine.plan);
          try {
            kinds[engine.update(changesBetween(ruleset, wanted)).kind]++;
          } catch (thrown) {
            if (!(thrown instanceof ProblemError)) throw thrown;
            // A failed update leaves the old version whole.
            kinds.refused++;
            expect(engine.plan.resolved.ruleset).toBe(ruleset);
            expect(dumpPlan(engine.plan)).toEqual(before);
          }
          expectFresh(engine, 20, `rule set ${packetSeed}, step ${step}`);
        }
      }),
      { seed, numRuns: long ? 500 : 40 },
    );
    expect(kinds.incremental).toBeGreaterThan(50);
  });
});

/** A service port with so many endpoints, some of them another's. */
function otherEndpoints(port: ServicePort, count: number, from: ServicePort): ServicePort {
  const endpoints = [...port.endpoints.slice(0, count), ...from.endpoints].slice(0, count);
  const known = new Set<string>();
  return {
    ...port,
    endpoints: endpoints.filter(
      ({ address, port: own }) => !known.has(`${String(address)} ${own}`) && known.add(`${String(address)} ${own}`),
    ),
  };
}
