import { type ChainChange, keepRules, sameChain } from "../../ruleset/changes.js";
import type { RuleSet } from "../../ruleset/types.js";
import type { Sync } from "./sync.js";

/**
 * What a sync changes of the rule set before it: kube-proxy sends many chains as they are. Rules that stay are the same objects. A new chain stands
 * behind the others, where `applySync` sorts it in among them; for packets that is the same.
 */
export function changesOfSync(ruleset: RuleSet, sync: Sync): ChainChange[] {
  return ruleset.tables.flatMap((table) => {
    const own = sync.tables.find((one) => one.table === table.name);
    if (own === undefined) return [];
    const place = { family: table.family, table: table.name };
    const known = new Map(table.chains.map((chain) => [chain.name, chain]));
    const changes: ChainChange[] = [];
    for (const { name, rules } of own.chains) {
      const before = known.get(name);
      const chain = { ...(before ?? { name, counters: { packets: 0, bytes: 0 } }), rules };
      if (before === undefined) changes.push({ ...place, name, chain });
      else if (!sameChain(before, chain)) changes.push({ ...place, name, chain: keepRules(before, chain) });
    }
    for (const name of own.deleted) if (known.has(name)) changes.push({ ...place, name, chain: undefined });
    return changes;
  });
}
