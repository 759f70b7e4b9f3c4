/**
 * Partition: a long chain as hash tables, one for each combination of fields and masks its rules compare for equality (tuple
 * space search, Srinivasan, Suri and Varghese 1999), so that the next rule a packet can match is found by a few probes. First
 * match by rule order stays: of the tables' answers the smallest row wins. Rules that compare nothing for equality are the
 * rest; they stay linear, in their place.
 */
import { addressWords } from "../../packet/address.js";
import type { ResolvedChain, ResolvedRuleSet } from "../../ruleset/resolve.js";
import { ChainIndex, HashTable, type Signature, testsSource } from "./chain-index.js";
import { type Head, headOf, isExact } from "./head.js";
import type { Pruned } from "./prune.js";

/** Chains shorter than this are walked: a probe costs as much as a few rules. */
const SHORTEST = 8;
/** More combinations than this cost more probes than they save. */
const MOST_SIGNATURES = 8;

export { ChainIndex, type Key } from "./chain-index.js";

/** The index of every chain that gains by one, by chain id. */
export function partition(resolved: ResolvedRuleSet, { reached, shadowed }: Pruned): (ChainIndex | undefined)[] {
  const indexes: (ChainIndex | undefined)[] = [];
  for (const chain of resolved.chains)
    indexes[chain.id] = reached[chain.id] === 1 ? indexChain(chain, shadowed) : undefined;
  return indexes;
}

/** The index of a chain; undefined where it gains by none. It passes over rules that are shadowed. */
export function indexChain(chain: ResolvedChain, shadowed: Pruned["shadowed"]): ChainIndex | undefined {
  const dead = shadowed.size > 0 && chain.rules.some((rule) => shadowed.has(rule));
  if ((chain.rules.length < SHORTEST && !dead) || chain.table.family === "inet") return undefined;
  const words = chain.table.family === "ip6" ? 4 : 1;
  const groups = new Map<string, { head: Head; entries: { key: number[]; rule: number }[] }>();
  const inRest = new Uint8Array(chain.rules.length);
  chain.rules.forEach((resolvedRule, i) => {
    if (dead && shadowed.has(resolvedRule)) return;
    inRest[i] = 1;
    const head = headOf(resolvedRule.rule);
    const [dstMask, srcMask] = [maskOf(head.dst, words), maskOf(head.src, words)];
    const ports = [isExact(head.sport), isExact(head.dport)];
    if (!ports[0] && !ports[1] && allZero(dstMask) && allZero(srcMask)) return;
    const signature = [...dstMask, ...srcMask, head.protocol !== 0, ...ports].join();
    let group = groups.get(signature);
    if (group === undefined) groups.set(signature, (group = { head, entries: [] }));
    inRest[i] = 0;
    group.entries.push({ key: keyOf(head, words), rule: i });
  });
  const kept = [...groups.values()].sort((a, b) => b.entries.length - a.entries.length);
  for (const group of kept.splice(MOST_SIGNATURES)) for (const entry of group.entries) inRest[entry.rule] = 1;
  if (kept.reduce((sum, group) => sum + group.entries.length, 0) < SHORTEST) {
    if (!dead) return undefined;
    for (const group of kept.splice(0)) for (const entry of group.entries) inRest[entry.rule] = 1;
  }

  const signatures = kept.map(({ head, entries }): Signature => ({
    dstMask: maskOf(head.dst, words),
    srcMask: maskOf(head.src, words),
    protocol: head.protocol !== 0,
    sport: isExact(head.sport),
    dport: isExact(head.dport),
    table: new HashTable(2 * words + 2, entries),
  }));
  const rest = nextOf(inRest);
  kept.forEach(({ entries }, i) => {
    if (testsSource(signatures[i]!)) for (const entry of entries) inRest[entry.rule] = 1;
  });
  const unlessDestination = nextOf(inRest);
  return new ChainIndex(chain, signatures, rest, unlessDestination, words);
}

/** nextOf(wanted)[i]: the first index from i on that is wanted, the length where there is none. */
function nextOf(wanted: Uint8Array): Int32Array {
  const next = new Int32Array(wanted.length + 1);
  next[wanted.length] = wanted.length;
  for (let i = wanted.length - 1; i >= 0; i--) next[i] = wanted[i] === 1 ? i : next[i + 1]!;
  return next;
}

const zeros = { 1: [0], 4: [0, 0, 0, 0] } as const;
const allZero = (words: readonly number[]): boolean => words.every((word) => word === 0);

/** The mask of an address test as words; of the other family (such a rule never matches) or absent: all zero. */
function maskOf(test: Head["dst"], words: 1 | 4): readonly number[] {
  const mask = test && addressWords(test.mask);
  return mask?.length === words ? mask : zeros[words];
}

function keyOf(head: Head, words: 1 | 4): number[] {
  const value = (test: Head["dst"]): readonly number[] => {
    const found = test && addressWords(test.value);
    return found?.length === words ? found : zeros[words];
  };
  const sport = isExact(head.sport) ? head.sport[0] : 0;
  const dport = isExact(head.dport) ? head.dport[0] : 0;
  return [...value(head.dst), ...value(head.src), head.protocol, ((sport << 16) | dport) >>> 0];
}
