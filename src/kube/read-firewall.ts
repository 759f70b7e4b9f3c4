import { type Address, anyAddress, type Family, sameAddress } from "../packet/address.js";
import { contains, hostPrefix, type MaskedAddress, prefixMask } from "../packet/prefix.js";
import { jumpOf } from "../ruleset/resolve.js";
import type { Chain, Rule } from "../ruleset/types.js";

/**
 * loadBalancerSourceRanges, from KUBE-FW: the sources of the rules that lead on, in their order. At the end kube-proxy adds the balancer's own
 * addresses where a range holds the node's: these are left away, unless the node's addresses are known and no range holds the first. Until
 * v1.23 every balancer has this chain, with the same rules once more for each of its addresses, each time up to a jump to KUBE-MARK-DROP.
 */
export function readSourceRanges(
  firewall: Chain | undefined,
  own: readonly Address[],
  family: Family,
  nodeAddresses: readonly Address[] | undefined,
): MaskedAddress[] {
  const ranges: MaskedAddress[] = [];
  let old = false;
  for (const rule of firewall?.rules ?? []) {
    const target = jumpOf(rule)?.chain;
    if (target === "KUBE-MARK-DROP") {
      old = true;
      break;
    }
    if (target === undefined || target === "KUBE-MARK-MASQ") continue;
    ranges.push(sourceOf(rule) ?? { value: anyAddress(family), mask: prefixMask(family, 0) });
  }
  const added = old ? own.slice(0, 1) : own;
  const listed = withoutEnd(ranges, added);
  const node = nodeAddresses?.[0];
  const allowed = node === undefined || listed.some((range) => contains(range, node));
  const found = listed.length < ranges.length && allowed ? listed : ranges;
  // An old chain of one rule for every source is that of a balancer without ranges: with one the balancer's own address would follow.
  return old && found === ranges && found.length === 1 && isAny(found[0]!) ? [] : found;
}

function sourceOf(rule: Rule): MaskedAddress | undefined {
  const match = rule.statements.find((one) => one.kind === "address" && one.field === "saddr" && !one.negate);
  return match?.kind === "address" ? { value: match.value, mask: match.mask } : undefined;
}

/** The ranges without the host prefixes of some addresses at their end; all of them where something else stands there. */
function withoutEnd(ranges: readonly MaskedAddress[], end: readonly Address[]): MaskedAddress[] {
  const from = ranges.length - end.length;
  if (end.length === 0 || from < 1) return [...ranges];
  const ends = end.every((address, i) => isHost(ranges[from + i]!, address));
  return ends ? ranges.slice(0, from) : [...ranges];
}

function isHost(range: MaskedAddress, address: Address): boolean {
  const host = hostPrefix(address);
  return sameAddress(range.value, host.value) && sameAddress(range.mask, host.mask);
}

function isAny(range: MaskedAddress): boolean {
  const none = anyAddress(typeof range.mask === "number" ? "ip" : "ip6");
  return sameAddress(range.mask, none);
}
