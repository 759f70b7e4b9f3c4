/** Which packets a translation is for. */
import { type Family, familyOf } from "../packet/address.js";
import type { DnatAction, NatRange, RedirectAction, SnatAction, Table } from "../ruleset/types.js";

/** In an inet table packets of the other family pass over a translation to addresses, and the rule goes on (net/netfilter/nft_nat.c, nft_nat_inet_eval). */
export function isForFamily({ addresses }: NatRange, family: Family): boolean {
  return addresses === undefined || familyOf(addresses[0]) === family;
}

/** Whether no packet that comes to a translation goes on behind it. A map that holds no such key fails the rule. */
export function takesEveryPacket(action: DnatAction | SnatAction | RedirectAction, table: Table): boolean {
  return action.mapped === undefined && (table.family !== "inet" || action.to.addresses === undefined);
}
