import type { Family } from "../packet/address.js";

/** What icmpx of an inet table means in each family (nft_reject_icmp_code, nft_reject_icmpv6_code in net/netfilter/nft_reject.c). */
const answers: Readonly<Record<string, Readonly<Record<Family, string>>>> = {
  "icmpx-port-unreachable": { ip: "icmp-port-unreachable", ip6: "icmp6-port-unreachable" },
  "icmpx-no-route": { ip: "icmp-net-unreachable", ip6: "icmp6-no-route" },
  "icmpx-host-unreachable": { ip: "icmp-host-unreachable", ip6: "icmp6-addr-unreachable" },
  "icmpx-admin-prohibited": { ip: "icmp-admin-prohibited", ip6: "icmp6-adm-prohibited" },
};

/** The answer a reject gives to a packet of a family. */
export function answerTo(family: Family, rejectWith: string): string {
  return answers[rejectWith]?.[family] ?? rejectWith;
}
