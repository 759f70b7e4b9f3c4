/** Bad nftables rule sets, as text and as JSON: each is refused with its place and what would be right, and nothing is written. */
import { describe, expect, it } from "vitest";
import { chainwalk, words } from "./command-line.js";

interface BadRules {
  readonly name: string;
  readonly text: string;
  readonly at: string;
  readonly says: string;
}

const table = (...lines: string[]): string => `table ip t {\n${lines.map((line) => `\t${line}\n`).join("")}}\n`;
const rule = (text: string): string => table("chain c {", `\t${text}`, "}");

const cases: readonly BadRules[] = [
  {
    name: "table not closed",
    text: "table ip t {\n\tchain c {\n\t\taccept\n\t}\n",
    at: "5:1",
    says: 'expected "}" to close table t, or a chain, set or map, not the end of the text',
  },
  {
    name: "chain not closed",
    text: "table ip t {\n\tchain c {\n\t\taccept\n",
    at: "4:1",
    says: 'expected "}" to close chain c, not the end of the text',
  },
  {
    name: "unknown family",
    text: "table ipx t {\n}\n",
    at: "1:7",
    says: 'unknown family "ipx": expected ip, ip6, inet, arp, bridge, netdev',
  },
  {
    name: "flowtable",
    text: table("flowtable f {", "\thook ingress priority 0", "\tdevices = { eth0 }", "}"),
    at: "2:2",
    says: "flowtables are not modelled: packets would pass by the chains; leave it out to see what the chains do",
  },
  {
    name: "another file",
    text: 'include "more.nft"\ntable ip t {\n\tchain c {\n\t\taccept\n\t}\n}\n',
    at: "1:1",
    says: "other files are not included: give one text that holds everything (nft list ruleset prints it)",
  },
  { name: "unknown statement", text: rule("acept"), at: "3:3", says: 'expected a statement, not "acept"' },
  { name: "undefined chain", text: rule("jump nowhere"), at: "3:3", says: "chain nowhere is not defined in table t" },
  {
    name: "a loop of jumps",
    text: table("chain a {", "\tjump b", "}", "chain b {", "\tjump a", "}"),
    at: "6:3",
    says: "the jumps a -> b -> a form a loop; the kernel refuses it",
  },
  { name: "undefined set", text: rule("ip saddr @s accept"), at: "3:3", says: "the set s is not defined in table t" },
  { name: "undefined map", text: rule("tcp dport vmap @m"), at: "3:3", says: "the map m is not defined in table t" },
  {
    name: "bad address",
    text: rule("ip saddr 10.0.0.256 accept"),
    at: "3:12",
    says: 'expected an IPv4 address, not "10.0.0.256"',
  },
  {
    name: "bad port",
    text: rule("tcp dport 70000 accept"),
    at: "3:13",
    says: 'expected a port from 0 to 65535, not "70000"',
  },
  {
    name: "unknown service",
    text: rule("tcp dport htpp accept"),
    at: "3:13",
    says: 'expected a port from 0 to 65535, not "htpp"',
  },
  {
    name: "a prefix of 33 bits",
    text: rule("ip saddr 10.0.0.0/33 accept"),
    at: "3:21",
    says: "the length of a prefix is a number from 0 to 32",
  },
  {
    name: "range backwards",
    text: rule("tcp dport 90-80 accept"),
    at: "3:13",
    says: "this range is empty: write the lower value first",
  },
  {
    name: "an IPv6 address in a table of IPv4",
    text: rule("ip saddr 2001:db8::1 accept"),
    at: "3:12",
    says: 'expected an IPv4 address, not "2001:db8::1"',
  },
  {
    name: "unknown hook",
    text: rule("type filter hook prerooting priority 0; policy accept;"),
    at: "3:20",
    says: 'unknown hook "prerooting": expected one of prerouting, input, forward, output, postrouting',
  },
  {
    name: "unknown type",
    text: rule("type filtre hook input priority 0; policy accept;"),
    at: "3:8",
    says: 'expected a type of chain (filter, nat, route), not "filtre"',
  },
  {
    name: "unknown prio",
    text: rule("type filter hook input priority fliter; policy accept;"),
    at: "3:35",
    says: '"fliter" is no priority at the hook input: use a number or one of raw, mangle, dstnat, filter, security, srcnat',
  },
  {
    name: "a policy that is none",
    text: rule("type filter hook input priority 0; policy reject;"),
    at: "3:45",
    says: 'expected a policy (accept, drop), not "reject"',
  },
  {
    name: "nat forward",
    text: rule("type nat hook forward priority 0;"),
    at: "3:3",
    says: "there is no nat at the hook forward",
  },
  {
    name: "set type",
    text: table("set s {", "\ttype ipv4_adr", "}"),
    at: "3:8",
    says: 'unknown type "ipv4_adr": the types of sets are ipv4_addr, ipv6_addr, inet_proto, inet_service, icmp_type, icmpv6_type, icmp_code, icmpv6_code, ifname, iface_index, mark, ct_state, ct_status, ct_dir, tcp_flag, fib_addrtype, nf_proto, integer',
  },
  { name: "set no type", text: table("set s {", "\tflags interval", "}"), at: "2:8", says: "the set s has no type" },
  {
    name: "set elem type",
    text: table("set s {", "\ttype ipv4_addr", "\telements = { 80 }", "}"),
    at: "4:16",
    says: 'expected an IPv4 address, not "80"',
  },
  {
    name: "set concat arity",
    text: table("set s {", "\ttype ipv4_addr . inet_service", "\telements = { 10.0.0.1 }", "}"),
    at: "4:25",
    says: "the key has 2 parts here (ipv4_addr . inet_service), not 1",
  },
  {
    name: "interval without flag",
    text: table("set s {", "\ttype ipv4_addr", "\telements = { 10.0.0.0/24 }", "}"),
    at: "4:16",
    says: 'this element of s is more than one value: the set needs "flags interval"',
  },
  {
    name: "elements that overlap",
    text: table("set s {", "\ttype ipv4_addr", "\tflags interval", "\telements = { 10.0.0.0/24, 10.0.0.5 }", "}"),
    at: "5:29",
    says: "two elements of the set s overlap: nft refuses them without auto-merge",
  },
  {
    name: "map elem no value",
    text: table("map m {", "\ttype inet_service : verdict", "\telements = { 80 }", "}"),
    at: "4:19",
    says: 'expected ":" and a verdict: this is a map of verdicts, not "}"',
  },
  {
    name: "a key with two values",
    text: table("map m {", "\ttype inet_service : verdict", "\telements = { 80 : accept, 80 : drop }", "}"),
    at: "4:29",
    says: "the map m has another value for this key already",
  },
  {
    name: "vmap chain undefined",
    text: table("map m {", "\ttype inet_service : verdict", "\telements = { 80 : goto nowhere }", "}"),
    at: "4:16",
    says: "chain nowhere is not defined in table t",
  },
  {
    name: "numgen mod 0",
    text: rule("numgen random mod 0 vmap { 0 : accept }"),
    at: "3:21",
    says: "mod needs a number from 1 to 4294967295",
  },
  {
    name: "an unknown generator",
    text: rule("numgen rndom mod 2 vmap { 0 : accept }"),
    at: "3:10",
    says: 'expected random or inc, not "rndom"',
  },
  { name: "dnat no to", text: rule("dnat"), at: "3:7", says: 'expected "to" after dnat, not the end of the line' },
  {
    name: "dnat in filter",
    text: table("chain c {", "\ttype filter hook prerouting priority 0;", "\tdnat to 10.0.0.1", "}"),
    at: "4:3",
    says: "DNAT stands in t c: it is only valid in a nat chain",
  },
  {
    name: "snat in prerouting",
    text: table("chain c {", "\ttype nat hook prerouting priority -100;", "\tsnat to 10.0.0.1", "}"),
    at: "4:3",
    says: "SNAT in c is reached from prerouting: it is only valid from input and postrouting",
  },
  {
    name: "masquerade in output",
    text: table("chain c {", "\ttype nat hook output priority -100;", "\tmasquerade", "}"),
    at: "4:3",
    says: "MASQUERADE in c is reached from output: it is only valid from postrouting",
  },
  {
    name: "a statement after the verdict",
    text: rule("accept counter"),
    at: "3:10",
    says: 'nothing may follow accept in a rule, but "counter" does',
  },
  {
    name: "an unknown answer of reject",
    text: rule("reject with icmp host-unreachabl"),
    at: "3:20",
    says: 'unknown answer "host-unreachabl": icmp has port-unreachable, net-unreachable, host-unreachable, prot-unreachable, net-prohibited, host-prohibited, admin-prohibited, frag-needed',
  },
  {
    name: "an unknown connection state",
    text: rule("ct state nwe accept"),
    at: "3:12",
    says: 'expected a connection state (invalid, established, related, new, untracked), not "nwe"',
  },
  {
    name: "an unknown key of ct",
    text: rule("ct sate new accept"),
    at: "3:6",
    says: 'expected one of state, status, direction, mark, protocol, original, reply, expiration, helper, l3proto, proto-src, proto-dst, secmark, id, label, bytes, packets, avgpkt, zone, count, timeout, event, eventmask, expectation after "ct", not "sate"',
  },
  {
    name: "a mark of 33 bits",
    text: rule("meta mark 0x1ffffffff accept"),
    at: "3:13",
    says: 'expected a mark of 32 bits, not "0x1ffffffff"',
  },
  {
    name: "a quote that is not closed",
    text: rule('log prefix "abc'),
    at: "3:14",
    says: "this quote is not closed before the line ends",
  },
  {
    name: "a definition there is not",
    text: rule("ip saddr $net accept"),
    at: "3:12",
    says: '$net is not defined: "define net = ..." must come first',
  },
  {
    name: "an unknown unit of time",
    text: rule("limit rate 5/fortnight accept"),
    at: "3:16",
    says: 'unknown unit of time "fortnight": expected second, minute, hour, day or week',
  },
  {
    name: "a jump to a base chain",
    text: table("chain a {", "\ttype filter hook input priority 0;", "}", "chain b {", "\tjump a", "}"),
    at: "6:3",
    says: "a is a base chain: a rule cannot jump to it",
  },
  {
    name: "a rule of no table",
    text: "add rule ip t c accept\n",
    at: "1:10",
    says: 'table ip t is not defined: "add table ip t" must come first',
  },
  {
    name: "an element of no set",
    text: "add table ip t\nadd set ip t s { type ipv4_addr; }\nadd element ip t s2 { 10.0.0.1 }\n",
    at: "3:18",
    says: "s2 is no set or map of table t",
  },
  {
    name: "a plain chain made a base chain",
    text: table("chain c {", "}", "chain c {", "\ttype filter hook input priority 0;", "}"),
    at: "5:3",
    says: "chain c is there already, and is no base chain",
  },
  {
    name: "json that is truncated",
    text: '{"nftables": [{"table": {"family": "ip", "name": "t"',
    at: "1:53",
    says: "the JSON ends before its end: the text is truncated",
  },
  {
    name: "json no nftables",
    text: '{"nft": []}',
    at: "1:1",
    says: 'this is no output of nft -j: an object with a list "nftables" is expected',
  },
  {
    name: "json rule bad",
    text: '{"nftables": [{"table": {"family": "ip", "name": "t"}},{"chain":{"family":"ip","table":"t","name":"c"}},{"rule":{"family":"ip","table":"t","chain":"c","expr":[{"acept":null}]}}]}',
    at: "1:105",
    says: 'unknown statement "acept"',
  },
  {
    name: "json chain missing",
    text: '{"nftables": [{"table": {"family": "ip", "name": "t"}},{"rule":{"family":"ip","table":"t","chain":"c","expr":[{"accept":null}]}}]}',
    at: "1:56",
    says: "chain c is not defined in table t",
  },
  {
    name: "json match",
    text: '{"nftables": [{"table": {"family": "ip", "name": "t"}},{"chain":{"family":"ip","table":"t","name":"c"}},{"rule":{"family":"ip","table":"t","chain":"c","expr":[{"match":{"op":"==","left":{"payload":{"protocol":"ip","field":"sadr"}},"right":"10.0.0.1"}},{"accept":null}]}}]}',
    at: "1:105",
    says: 'expected one of saddr, daddr, protocol, length, version, hdrlength, dscp, ecn, id, frag-off, ttl, checksum, option after "ip", not "sadr"',
  },
  {
    name: "json elem",
    text: '{"nftables": [{"table": {"family": "ip", "name": "t"}},{"set":{"family":"ip","table":"t","name":"s","type":"ipv4_addr","elem":["10.0.0.300"]}}]}',
    at: "1:56",
    says: 'expected an IPv4 address, not "10.0.0.300"',
  },
];

describe("bad nftables rule sets", () => {
  for (const { name, text, at, says } of cases) {
    it(name, async () => {
      const { exitCode, stdout, stderr } = await chainwalk(words("print --rules r.nft"), { "r.nft": text });
      const [message, line, caret] = stderr.split("\n") as [string, string, string];
      expect(message).toBe(`r.nft:${at}: ${says}`);
      expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: "" });
      expect(caret.trimStart()).toBe("^");
      const [row, column] = at.split(":").map(Number) as [number, number];
      const written = text.split("\n")[row - 1]!;
      if (line === written) expect(caret.length, "the caret stands under the column").toBe(column);
      else expect(line, "a long line is cut").toMatch(/^\.\.\.|\.\.\.$/);
    });
  }
});
