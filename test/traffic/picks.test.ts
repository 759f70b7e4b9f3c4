import { describe, expect, it } from "vitest";
import { formatAddress } from "../../src/packet/address.js";
import { Node } from "../../src/packet/node.js";
import { freshContext } from "../../src/datapath/context.js";
import { indexedEngine } from "../../src/engine/indexed.js";
import { linearEngine } from "../../src/engine/linear.js";
import { PickSampler } from "../../src/traffic/picks.js";
import { packet, rules } from "../engine/rules.js";

const IPV4 = rules({
  nat: [
    "-A PREROUTING -d 172.30.0.1/32 -p tcp -m statistic --mode random --probability 0.25000000000 -j DNAT --to-destination 10.0.0.1:80",
    "-A PREROUTING -d 172.30.0.1/32 -p tcp -m statistic --mode random --probability 0.50000000000 -j DNAT --to-destination 10.0.0.1:81",
  ],
  filter: ["-A FORWARD -d 10.0.0.1/32 -p tcp -m tcp --dport 81 -j DROP"],
});
const IPV6 = rules({
  nat: [
    "-A PREROUTING -d fd00::1/128 -p tcp -m statistic --mode random --probability 0.50000000000 -j DNAT --to-destination [fd00::2]:80",
    "-A PREROUTING -d fd00::1/128 -p tcp -j DNAT --to-destination [fd00::3]:80",
  ],
});

describe("picks", () => {
  for (const make of [linearEngine, indexedEngine])
    it(`are what the engine decides, packet by packet, whatever the cut into batches: ${make.name}`, () => {
      const engine = make(IPV4, { node: new Node(), draws: "replay" });
      const context = freshContext({ seed: 9 });
      const first = packet("192.0.2.1:4000 172.30.0.1:80");
      const [from, samples] = [500, 5000];
      const expected = new Map<string, number>();
      for (let i = 0; i < samples; i++) {
        const { verdict, destination } = engine.classify(first, { ...context, packet: from + i });
        const key = `${verdict} ${verdict === "accept" && destination ? `${formatAddress(destination.address)}:${destination.port}` : ""}`;
        expected.set(key, (expected.get(key) ?? 0) + 1);
      }
      const told: number[] = [];
      const fates = new PickSampler(engine, "ip").sample(first, samples, from, context, (done) => told.push(done));
      const counted = new Map(
        fates.map(({ verdict, destination: to, count }) => [
          `${verdict} ${to === undefined ? "" : `${formatAddress(to.address)}:${to.port}`}`,
          count,
        ]),
      );
      expect(counted).toEqual(expected);
      expect(expected.size).toBe(3);
      expect(told).toEqual([0, 4096]);
    });

  it("of IPv6", () => {
    const sampler = new PickSampler(indexedEngine(IPV6, { node: new Node() }), "ip6");
    const fates = sampler.sample(packet("[2001:db8::1]:4000 [fd00::1]:80"), 1000, 0, freshContext({ seed: 2 }));
    expect(fates.map(({ destination }) => formatAddress(destination!.address)).sort()).toEqual(["fd00::2", "fd00::3"]);
    expect(fates.reduce((sum, { count }) => sum + count, 0)).toBe(1000);
  });

  it("a second sample is not touched by the first", () => {
    const sampler = new PickSampler(indexedEngine(IPV4, { node: new Node() }), "ip");
    const one = (): unknown =>
      sampler.sample(packet("192.0.2.1:4000 172.30.0.1:80"), 5000, 7, freshContext({ seed: 3 }));
    const first = one();
    sampler.sample(packet("192.0.2.1:4000 172.30.0.9:80"), 100, 0, freshContext({ seed: 3 }));
    expect(one()).toEqual(first);
  });
});
