import { describe, expect, test } from "vitest";
import { parseAddress } from "../../src/packet/address.js";
import { makePacket } from "../../src/packet/packet.js";
import { equals, formatFraction, ONE, add, ZERO } from "../../src/engine/fraction.js";
import { linearEngine } from "../../src/engine/linear.js";
import { connectionInState, freshContext, translationRandom } from "../../src/datapath/context.js";
import { node, rules } from "./rules.js";

const RANGE = `*nat
:PREROUTING ACCEPT [0:0]
:INPUT ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
-A PREROUTING -p tcp -m statistic --mode random --probability 0.50000000000 -j DNAT --to-destination 10.0.1.1-10.0.1.9:7000-7999 --random
COMMIT
*filter
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
-A FORWARD -m conntrack --ctstate INVALID -j DROP
COMMIT
`;

describe("a fresh context", () => {
  const engine = linearEngine(rules(RANGE));
  const packet = makePacket({ src: parseAddress("10.0.0.1")!, dst: parseAddress("10.0.9.9")!, sport: 1, dport: 80 });

  test("serves a walk, its trace and its outcomes", () => {
    const ports = new Set<number>();
    const verdicts = new Set<boolean>();
    for (let seed = 1; seed <= 60; seed++) {
      const context = freshContext({ node, seed });
      const { destination } = engine.classify(packet, context);
      expect(engine.trace(packet, context).outcome.destination).toEqual(destination);
      expect(engine.classify(packet, freshContext({ node, seed })).destination).toEqual(destination);
      verdicts.add(destination !== undefined);
      if (destination === undefined) continue;
      expect(destination.port >= 7000 && destination.port <= 7999).toBe(true);
      ports.add(destination.port);
    }
    expect(verdicts.size).toBe(2);
    expect(ports.size).toBeGreaterThan(15);
    const { outcomes } = engine.outcomes(packet, freshContext({ node }));
    const sum = outcomes.reduce((total, o) => add(total, o.probability), ZERO);
    expect(equals(sum, ONE), formatFraction(sum)).toBe(true);
  });

  test("another state of the connection can be given", () => {
    const verdict = (state: "invalid" | "untracked" | "established"): string =>
      engine.classify(packet, freshContext({ node, connection: connectionInState(state) })).verdict;
    expect([verdict("invalid"), verdict("untracked"), verdict("established")]).toEqual(["drop", "accept", "accept"]);
  });

  test("translation numbers are named by seed, tuple and their place", () => {
    const draws = (seed: number, sport: number): number[] => {
      const random = translationRandom(seed, { ...packet, sport });
      return [random(), random(), random()];
    };
    expect(draws(1, 1)).toEqual(draws(1, 1));
    expect(new Set([...draws(1, 1), ...draws(1, 2), ...draws(2, 1)]).size).toBe(9);
  });
});
