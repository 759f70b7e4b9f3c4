import * as fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Family, parseAddress } from "../../src/packet/address.js";
import { makePacket, type Packet } from "../../src/packet/packet.js";
import { formatTuple } from "../../src/packet/tuple.js";
import { printRules } from "../../src/syntax/iptables/printer.js";
import type { Rule, RuleSet } from "../../src/ruleset/types.js";
import { translate } from "../../src/translate/translate.js";
import { translatable, withoutRules } from "../translate/translatable.js";
import { formatRuleSet, type RandomPacket, randomPacket, randomRuleSet } from "./arbitrary.js";
import { tally } from "./compare.js";
import { completeTables, read } from "./session.js";
import { NodePair } from "./translated-node.js";

/** Rule sets in all, over both families. */
const RULESETS = Number(process.env.CHAINWALK_KERNEL_RULESETS ?? 60);
const PACKETS = 40;
const seed = Number(process.env.CHAINWALK_SEED ?? 20260612);

type FreshPacket = Extract<RandomPacket, { kind: "fresh" }>;

/** Each packet the first of its connection: from a port of its own. */
function packetOf({ iif, ...fields }: FreshPacket, i: number): Packet {
  const place = iif === "" ? { entrance: "output" as const, iif: "" } : { iif, mark: 0 };
  const [src, dst] = [parseAddress(fields.src)!, parseAddress(fields.dst)!];
  return makePacket({ ...fields, ...place, src, dst, sport: 10_000 + i });
}

/** What the two kernels would decide by their own chance or clock. */
function isChance({ statements }: Rule): boolean {
  return statements.some(
    (one) =>
      one.kind === "random" ||
      one.kind === "limit" ||
      ((one.kind === "dnat" || one.kind === "snat" || one.kind === "masquerade" || one.kind === "redirect") &&
        (one.to.random === true || one.to.fullyRandom === true || isRange(one.to.addresses) || isRange(one.to.ports))),
  );
}

const isRange = (ends: readonly unknown[] | undefined): boolean =>
  ends !== undefined && JSON.stringify(ends[0]) !== JSON.stringify(ends[1]);

function settled(ruleset: RuleSet): RuleSet {
  return translatable({ tables: ruleset.tables.map((table) => withoutRules(table, isChance)) });
}

for (const family of ["ip", "ip6"] as const satisfies readonly Family[]) {
  describe(`random rule sets and their translation, ${family}`, () => {
    let pair: NodePair;
    beforeAll(async () => {
      pair = await NodePair.start(family);
    });
    afterAll(() => pair?.stop());
    const rerun = `CHAINWALK_SEED=${seed} CHAINWALK_KERNEL_RULESETS=${RULESETS} npm run test:kernel -- translation.test -t "${family}"`;

    it(`decide alike; rerun: ${rerun}`, async () => {
      let rules = 0;
      const fresh = randomPacket(family).filter((packet): packet is FreshPacket => packet.kind === "fresh");
      const plans = fc.array(fresh, { minLength: 1, maxLength: 2 * PACKETS, size: "max" });
      const property = fc.asyncProperty(randomRuleSet(family), plans, async (tables, packets) => {
        const ruleset = settled(read(completeTables(formatRuleSet(tables)), family));
        await pair.load(printRules(ruleset), translate(ruleset, { withoutBridges: true }).ruleset);
        const sent = packets.map(packetOf);
        const fates = await pair.send(sent);
        fates.forEach(({ original, translated }, i) => {
          if (original !== translated)
            throw new Error(
              `${formatTuple(sent[i]!)} in by ${sent[i]!.iif}: iptables ${original}, its translation ${translated}`,
            );
        });
        rules += ruleset.tables.reduce(
          (sum, { chains }) => sum + chains.reduce((all, chain) => all + chain.rules.length, 0),
          0,
        );
        tally.rulesets++;
        tally.packets += sent.length;
      });
      const found = await fc.check(property, { seed, numRuns: Math.ceil(RULESETS / 2) });
      if (found.failed) {
        const [tables] = found.counterexample!;
        const text = printRules(settled(read(completeTables(formatRuleSet(tables)), family)));
        throw new Error(
          `${text}\n${String(found.errorInstance)}\nseed ${seed}, path ${found.counterexamplePath}; ${rerun}`,
        );
      }
      expect(rules, "most rules have a counterpart").toBeGreaterThan(RULESETS * 3);
    });
  });
}
