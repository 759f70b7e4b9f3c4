/** Makes a failing case small: leaves out tables, chains, rules, statements and packets as long as it still fails. */
import type { NftTable } from "../arbitrary/nft-rules.js";
import type { RandomPacket } from "./arbitrary.js";

export interface Case {
  readonly tables: readonly NftTable[];
  readonly plans: readonly RandomPacket[];
}

/** Why a case fails; undefined where it does not. */
export type Failure = (one: Case) => Promise<string | undefined>;

/** What the engines refuse to guess: fewer statements may come to it. */
const isRefusal = (why: string): boolean => why.startsWith("ProblemError");

/** The smallest case found that fails in the same way, and why it fails. */
export async function reduce(start: Case, why: string, fails: Failure): Promise<{ found: Case; why: string }> {
  let [found, reason] = [start, why];
  for (let changed = true; changed;) {
    changed = false;
    for (const smaller of smallerCases(found)) {
      const still = await fails(smaller);
      if (still === undefined || isRefusal(still) !== isRefusal(why)) continue;
      [found, reason, changed] = [smaller, still, true];
      break;
    }
  }
  return { found, why: reason };
}

function* smallerCases({ tables, plans }: Case): Generator<Case> {
  for (let size = Math.ceil(plans.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2))
    for (let at = 0; at < plans.length; at += size)
      yield { tables, plans: plans.filter((_, i) => i < at || i >= at + size) };
  for (const i of tables.keys()) if (tables.length > 1) yield { tables: without(tables, i), plans };
  for (const [i, table] of tables.entries()) {
    const put = (chains: NftTable["chains"]): Case => ({ tables: tables.with(i, { ...table, chains }), plans });
    for (const [c, chain] of table.chains.entries()) {
      if (chain.head !== "" && chain.rules.length > 0) yield put(without(table.chains, c));
      if (chain.rules.length > 1) yield put(table.chains.with(c, { ...chain, rules: [] }));
    }
    for (const [c, chain] of table.chains.entries()) {
      for (const r of chain.rules.keys()) yield put(table.chains.with(c, { ...chain, rules: without(chain.rules, r) }));
      for (const [r, rule] of chain.rules.entries())
        for (const s of rule.keys())
          if (rule.length > 1)
            yield put(table.chains.with(c, { ...chain, rules: chain.rules.with(r, without(rule, s)) }));
    }
    for (const s of table.sets.keys())
      yield { tables: tables.with(i, { ...table, sets: without(table.sets, s) }), plans };
  }
}

function without<T>(list: readonly T[], at: number): T[] {
  return list.filter((_, i) => i !== at);
}
