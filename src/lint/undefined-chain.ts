import { jumpOf, type ResolvedRule } from "../ruleset/resolve.js";
import { placeOf } from "./place.js";
import type { Check, Finding } from "./types.js";

/** In a save file an undefined chain is an error of the input: no kernel loads it. In a listing it may only not be shown. */
export const undefinedChain: Check = {
  code: "undefined-chain",
  summary: "A jump to a chain that a listing does not define.",
  severity: "warning",
  find({ resolved, isWhole }) {
    const jumps = new Map<string, ResolvedRule[]>();
    for (const rule of resolved.rules) {
      const to = jumpOf(rule.rule)?.chain;
      if (to === undefined || rule.target !== undefined) continue;
      const key = `${rule.chain.table.family} ${rule.chain.table.name} ${to}`;
      const same = jumps.get(key);
      if (same === undefined) jumps.set(key, [rule]);
      else same.push(rule);
    }
    return [...jumps.values()].map((rules): Finding => {
      const [first, ...rest] = rules as [ResolvedRule, ...ResolvedRule[]];
      const { chain } = jumpOf(first.rule)!;
      const whole = isWhole(first.chain.table);
      const more = rest.length === 0 ? "" : `, nor for ${rest.length} more rule${rest.length === 1 ? "" : "s"}`;
      return {
        code: "undefined-chain",
        severity: whole ? "warning" : "info",
        message: whole
          ? `chain ${chain} is not defined in table ${first.chain.table.name}`
          : `the listing does not show chain ${chain}: where rule ${first.number} of ${first.chain.name} leads cannot be told${more}`,
        right: whole ? `"-N ${chain}" and its rules` : "the whole table, as iptables-save prints it",
        place: placeOf(first),
        related: rest.slice(0, 3).map((rule) => ({ ...placeOf(rule), message: "jumps to it too" })),
      };
    });
  },
};
