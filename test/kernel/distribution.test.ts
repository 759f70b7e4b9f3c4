import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Family, parseAddress } from "../../src/packet/address.js";
import { makePacket, type Packet } from "../../src/packet/packet.js";
import { Node } from "../../src/packet/node.js";
import { toNumber } from "../../src/engine/fraction.js";
import { namedDraw } from "../../src/engine/draw.js";
import { linearEngine } from "../../src/engine/linear.js";
import { NEW_CONNECTION } from "../../src/packet/connection.js";
import { FRESH_STATE } from "../../src/engine/state.js";
import type { Context } from "../../src/engine/types.js";
import { resolve } from "../../src/ruleset/resolve.js";
import { chiSquareTest } from "../../src/stats/goodness-of-fit.js";
import { tally } from "./compare.js";
import { type Backend, KernelNode } from "./kernel-node.js";
import { completeTables, read } from "./session.js";
import { RuleNames } from "./project-node.js";

const FLOWS = 30_000;
/** A sound pair fails once in ten thousand runs of the whole file. */
const ALPHA = 1e-4 / 16;
const VIP = { ip: "172.30.0.1", ip6: "fd00:30::1" } as const;

/** A service with this many endpoints, the last of its rules unconditional. */
function service(family: Family, endpoints: number): string {
  const lines = ["*nat", ":SVC - [0:0]", `-A PREROUTING -d ${VIP[family]} -j SVC`];
  for (let i = 0; i < endpoints; i++) {
    const rest = endpoints - i;
    const chance = rest === 1 ? "" : ` -m statistic --mode random --probability ${(1 / rest).toFixed(10)}`;
    const to = family === "ip" ? `10.64.1.${i}:8080` : `[fd00:64::1:${i.toString(16)}]:8080`;
    lines.push(`-A SVC -p tcp${chance} -j DNAT --to-destination ${to}`);
  }
  return completeTables([...lines, "COMMIT", ""].join("\n"));
}

function flow(family: Family, i: number): Packet {
  const source = family === "ip" ? `192.0.2.${1 + (i % 4)}` : `2001:db8::${1 + (i % 4)}`;
  return makePacket({ src: parseAddress(source)!, dst: parseAddress(VIP[family])!, sport: 1024 + (i >> 2), dport: 80 });
}

function register(family: Family, backend: Backend): void {
  describe(`distribution over endpoints, ${family} ${backend}`, () => {
    let kernel: KernelNode;
    beforeAll(async () => {
      kernel = await KernelNode.start(family, backend);
      await kernel.listenTo(false, false);
    });
    afterAll(() => kernel?.stop());

    it.each([2, 3, 7, 100])("%i endpoints", async (endpoints) => {
      const text = service(family, endpoints);
      const resolved = resolve(read(text, family));
      await kernel.load(text, new RuleNames(resolved).lengths);
      await kernel.forgetConnections();
      const packets = Array.from({ length: FLOWS }, (_, i) => flow(family, i));
      let sent = 0;
      for (let at = 0; at < FLOWS; at += 2000) {
        const seen = await kernel.send(packets.slice(at, at + 2000).map((packet) => ({ packet })));
        sent += seen.filter(({ left }) => left !== undefined).length;
      }
      expect(sent).toBe(FLOWS);
      const saved = kernel.save().split("\n");
      const counted = saved.flatMap((line) => /^\[(\d+):\d+\] -A SVC /.exec(line)?.slice(1).map(Number) ?? []);
      expect(counted.reduce((a, b) => a + b, 0)).toBe(FLOWS);

      const engine = linearEngine(resolved);
      const context: Context = {
        node: new Node(),
        draw: namedDraw(endpoints),
        now: 0,
        connection: NEW_CONNECTION,
        state: FRESH_STATE,
      };
      const place = new Map<string, number>();
      const exact: number[] = [];
      for (const { outcome, probability } of engine.outcomes(packets[0]!, context).outcomes) {
        place.set(String(outcome.tuple.dst), exact.length);
        exact.push(toNumber(probability));
      }
      const picked = exact.map(() => 0);
      packets.forEach(
        (packet, i) => picked[place.get(String(engine.classify(packet, { ...context, packet: i }).tuple.dst))!]!++,
      );
      // The counters stand in the order of the rules, the outcomes in that of the walk.
      const order = resolved.rules
        .filter((rule) => rule.chain.name === "SVC")
        .map(({ rule }) => {
          const dnat = rule.statements.find((s) => s.kind === "dnat")!;
          return place.get(String(dnat.to.addresses![0]))!;
        });
      const ofKernel = chiSquareTest(
        counted,
        order.map((at) => exact[at]!),
      );
      const ofProject = chiSquareTest(picked, exact);
      expect(ofKernel.pValue, `kernel: chi-square ${ofKernel.statistic}`).toBeGreaterThan(ALPHA);
      expect(ofProject.pValue, `project: chi-square ${ofProject.statistic}`).toBeGreaterThan(ALPHA);
      tally.rulesets++;
      tally.flows += FLOWS;
    });
  });
}

register("ip", "legacy");
register("ip6", "nft");
