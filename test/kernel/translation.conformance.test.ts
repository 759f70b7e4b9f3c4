import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { namedDraw } from "../../src/engine/draw.js";
import { linearEngine } from "../../src/engine/linear.js";
import { FRESH_STATE } from "../../src/engine/state.js";
import type { Context, Engine } from "../../src/engine/types.js";
import { type Family, formatEndpoint, parseAddress } from "../../src/packet/address.js";
import { NEW_CONNECTION } from "../../src/packet/connection.js";
import type { Packet } from "../../src/packet/packet.js";
import { resolve } from "../../src/ruleset/resolve.js";
import { translate } from "../../src/translate/translate.js";
import { tally } from "./compare.js";
import { servicePackets } from "./service-packets.js";
import { completeTables, read } from "./session.js";
import { fateSaid, NodePair } from "./translated-node.js";

const root = process.env.CHAINWALK_CONFORMANCE;
const long = process.env.CHAINWALK_LONG === "1";
/** Flows of each dump, and how often each is sent, always from another port. */
const FLOWS = 1000;
const ROUNDS = 4;
/** An endpoint is expected among those seen where missing it by chance is as rare as this. */
const RARE = 1e-9;

const files = { ip: ["rules.iptables-save", "rules.iptables-save.gz"], ip6: ["rules.ip6tables-save"] } as const;

function fileOf(dir: string, family: Family): string | undefined {
  return files[family].find((name) => existsSync(join(root!, dir, name)));
}

function dumps(family: Family): string[] {
  return ["features", "bench"]
    .flatMap((kind) => readdirSync(join(root!, kind)).map((name) => join(kind, name)))
    .filter((dir) => !dir.includes("ipvs") && fileOf(dir, family) !== undefined)
    .filter((dir) => long || !dir.includes("10000x5"));
}

function textOf(dir: string, family: Family): string {
  const bytes = readFileSync(join(root!, dir, fileOf(dir, family)!));
  return (bytes[0] === 0x1f ? gunzipSync(bytes) : bytes).toString("utf8");
}

/** Endpoints a packet may go to, and those the translation led to. */
interface Spread {
  readonly expected: Set<string>;
  readonly seen: Set<string>;
  sent: number;
}

for (const family of ["ip", "ip6"] as const) {
  describe.runIf(root)(`genuine dumps and their translation, ${family}`, () => {
    let pair: NodePair;
    beforeAll(async () => {
      pair = await NodePair.start(family);
    });
    afterAll(() => pair?.stop());

    it.each(root ? dumps(family) : [])("%s", { timeout: 1_800_000 }, async (dir) => {
      const { nodeIPs } = JSON.parse(readFileSync(join(root!, dir, "case.json"), "utf8")) as { nodeIPs: string[] };
      pair.setAddresses(nodeIPs.map((text) => parseAddress(text)!));
      const text = textOf(dir, family);
      const ruleset = read(completeTables(text), family);
      const { ruleset: translated } = translate(ruleset, { withoutBridges: true });
      await pair.load(text, translated);
      const resolved = resolve(ruleset);
      const [before, after] = [linearEngine(resolved), linearEngine(resolve(translated))];
      const { node } = pair.original;
      const context: Context = { node, draw: namedDraw(1), now: 0, connection: NEW_CONNECTION, state: FRESH_STATE };
      const flows = servicePackets(resolved, node, family, FLOWS);
      expect(flows.length).toBeGreaterThan(FLOWS / 2);

      const spreads = new Map<string, Spread>();
      const wrong: string[] = [];
      for (let at = 0; at < flows.length * ROUNDS; at += 100) {
        const packets = Array.from({ length: Math.min(100, flows.length * ROUNDS - at) }, (_, i): Packet => {
          const flow = flows[(at + i) % flows.length]!;
          return { ...flow, sport: 2000 + at + i };
        });
        const seen = await pair.send(packets);
        packets.forEach((packet, i) => {
          const { outcomes } = before.outcomes(packet, context);
          const possible = new Set(outcomes.map(({ outcome }) => fateSaid(packet, outcome)));
          if (at < flows.length) {
            const again = after.outcomes(packet, context).outcomes.map(({ outcome }) => fateSaid(packet, outcome));
            expect([...new Set(again)].toSorted(), `linear, ${nameOf(packet)}`).toEqual([...possible].toSorted());
          }
          const { original, translated: got } = seen[i]!;
          for (const [who, what] of [["iptables", original] as const, ["its translation", got] as const])
            if (!possible.has(what) && !possible.has(what.split(",")[0]!))
              wrong.push(`${nameOf(packet)}: ${who} ${what}; the rules say ${[...possible].join(" or ")}`);
          if (possible.size === 1 && original !== got)
            wrong.push(`${nameOf(packet)}: iptables ${original}, its translation ${got}`);
          if (!outcomes.some(({ outcome }) => outcome.changes.some((change) => change.kind === "recent")))
            note(spreads, possible, got);
          tally.packets++;
        });
      }
      expect(wrong.slice(0, 5).join("\n"), `${wrong.length} of ${flows.length * ROUNDS} packets differ`).toBe("");
      for (const [name, { expected, seen, sent }] of spreads) {
        const n = expected.size;
        if (n > 1 && n * (1 - 1 / n) ** sent < RARE)
          expect([...seen].toSorted(), name).toEqual([...expected].toSorted());
      }
      tally.rulesets++;
      console.log(
        `${dir}: rules visited per packet ${visits(before, flows, context)} before, ${visits(after, flows, context)} after`,
      );
    });
  });
}

const nameOf = ({ src, dst, dport, protocol, entrance }: Packet): string =>
  `${formatEndpoint(src, 0)} to ${formatEndpoint(dst, dport)} protocol ${protocol} at ${entrance}`;

/** Sums over all packets that may go to the same endpoints, whatever else becomes of them. */
function note(spreads: Map<string, Spread>, possible: ReadonlySet<string>, got: string): void {
  const ends = new Set([...possible].map(endpointIn));
  const name = [...ends].toSorted().join(" or ");
  const spread = spreads.get(name) ?? { expected: ends, seen: new Set<string>(), sent: 0 };
  spread.seen.add(endpointIn(got));
  spread.sent++;
  spreads.set(name, spread);
}

const endpointIn = (fate: string): string => / to (\S+) from /.exec(fate)?.[1] ?? fate.split(",")[0]!;

function visits(engine: Engine, flows: readonly Packet[], context: Context): string {
  const sum = flows.reduce(
    (all, packet, i) => all + engine.classify(packet, { ...context, packet: i }).work.rulesVisited,
    0,
  );
  return (sum / flows.length).toFixed(1);
}
