import { expect } from "vitest";
import { Node } from "../../src/packet/node.js";
import { parseAddress } from "../../src/packet/address.js";
import { parsePrefix } from "../../src/packet/prefix.js";
import { resolve, type ResolvedRuleSet } from "../../src/ruleset/resolve.js";
import { readIptables } from "../../src/syntax/iptables/reader.js";

/** Reads an iptables-save text that has to be right. */
export function rules(text: string, family: "ip" | "ip6" = "ip"): ResolvedRuleSet {
  const { ruleset, problems } = readIptables(text, { form: "save", family, table: "nat" });
  expect(problems).toEqual([]);
  const resolved = resolve(ruleset);
  expect(resolved.problems).toEqual([]);
  return resolved;
}

/** 10.200.0.1 on eth0, where everything leaves; fd00::1 for IPv6. */
export const node = new Node(
  [parseAddress("10.200.0.1")!, parseAddress("fd00::1")!],
  [{ ...parsePrefix("10.0.0.0/8")!, oif: "eth0" }],
);

/** Something of everything that conntrack has to do with, on few addresses. */
export const EVERYTHING = `*raw
:PREROUTING ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
-A PREROUTING -p udp -m udp --dport 5 -j NOTRACK
-A PREROUTING -p tcp -m tcp --dport 6 -j DROP
COMMIT
*mangle
:PREROUTING ACCEPT [0:0]
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
-A PREROUTING -j CONNMARK --restore-mark --nfmask 0xf --ctmask 0xf
-A PREROUTING -m conntrack --ctstate NEW -m mark --mark 0x3 -j CONNMARK --set-xmark 0x5/0xffffffff
COMMIT
*nat
:PREROUTING ACCEPT [0:0]
:INPUT ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
:SEP-A - [0:0]
:SEP-B - [0:0]
:SVC - [0:0]
-A PREROUTING -d 10.96.0.1/32 -j SVC
-A PREROUTING -d 10.96.0.2/32 -p udp -j DNAT --to-destination 10.0.1.1-10.0.1.3:7-8
-A PREROUTING -d 10.96.0.3/32 -j DNAT --to-destination 10.0.1.1
-A PREROUTING -d 10.96.0.4/32 -p tcp -m statistic --mode nth --every 3 --packet 0 -j DNAT --to-destination 10.0.1.2:80
-A PREROUTING -d 10.96.0.4/32 -p tcp -j DNAT --to-destination 10.0.1.3:80
-A POSTROUTING -s 10.0.0.1/32 -j MASQUERADE
-A POSTROUTING -s 10.0.0.2/32 -p udp -j SNAT --to-source 10.201.0.1-10.201.0.2:1-3
-A POSTROUTING -s 10.0.0.3/32 -j MASQUERADE --random-fully
-A SEP-A -p tcp -m recent --set --name A --mask 255.255.255.255 --rsource -j DNAT --to-destination 10.0.1.1:80
-A SEP-B -p tcp -j DNAT --to-destination 10.0.1.2:80
-A SVC -m recent --rcheck --seconds 100 --name A --mask 255.255.255.255 --rsource -j SEP-A
-A SVC -m statistic --mode random --probability 0.50000000000 -j SEP-A
-A SVC -j SEP-B
COMMIT
*filter
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
-A FORWARD -m conntrack --ctstate INVALID -j DROP
-A FORWARD -m conntrack --ctstate NEW -p tcp -m tcp --dport 9 -j REJECT --reject-with icmp-port-unreachable
-A FORWARD -d 10.0.1.2/32 -m conntrack --ctstate ESTABLISHED -m mark --mark 0x7 -j DROP
COMMIT
`;
