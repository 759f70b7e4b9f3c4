import { describe, expect, it } from "vitest";
import type { Expression, Statement } from "../../src/ruleset/types.js";
import { ProblemError } from "../../src/ruleset/problem.js";
import { printRule } from "../../src/syntax/iptables/printer.js";
import { matches, targets } from "../../src/syntax/iptables/registry.js";
import { readClean } from "./round-trip.js";

/** Every kind of statement there is (TypeScript sees to that): a rule that spells it in iptables, or null where only nft can. */
const kinds: { readonly [K in Statement["kind"]]: string | null } = {
  address: "-s 10.0.0.0/8",
  "address-range": "-m iprange --src-range 10.0.0.1-10.0.0.9",
  interface: "-i eth0",
  protocol: "-p tcp",
  fragment: "-f",
  transport: "-p tcp -m tcp --dport 80",
  multiport: "-p tcp -m multiport --dports 80,443",
  icmp: "-p icmp -m icmp --icmp-type 8",
  comment: "-m comment --comment x",
  random: "-m statistic --mode random --probability 0.50000000000",
  nth: "-m statistic --mode nth --every 2 --packet 1",
  mark: "-m mark --mark 0x1",
  conntrack: "-m conntrack --ctstate NEW",
  "address-type": "-m addrtype --dst-type LOCAL",
  recent: "-m recent --set --name A --mask 255.255.255.255 --rsource",
  physdev: "-m physdev --physdev-is-in",
  set: "-m set --match-set A dst",
  limit: "-m limit --limit 3/min",
  mac: "-m mac --mac-source 00:11:22:aa:bb:cc",
  accounting: "-m nfacct --nfacct-name  a",
  compare: null,
  lookup: null,
  "opaque-match": "-m ttl --ttl-eq 5",
  dnat: "-j DNAT --to-destination 10.0.0.1",
  snat: "-j SNAT --to-source 10.0.0.1",
  masquerade: "-j MASQUERADE",
  redirect: "-j REDIRECT",
  "set-mark": "-j MARK --set-xmark 0x1/0x1",
  "copy-mark": "-j CONNMARK --save-mark --nfmask 0xff --ctmask 0xff",
  log: "-j LOG --log-prefix x",
  notrack: "-j CT --notrack",
  assign: null,
  "set-update": null,
  counter: null,
  "opaque-target": "-j TTL --ttl-set 5",
  accept: "-j ACCEPT",
  drop: "-j DROP",
  reject: "-j REJECT --reject-with icmp-port-unreachable",
  return: "-j RETURN",
  continue: null,
  jump: "-j OTHER",
  goto: "-g OTHER",
  "verdict-map": null,
};

describe("every kind of statement", () => {
  const spelled = Object.entries(kinds).filter(([, text]) => text !== null) as [Statement["kind"], string][];

  it.each(spelled)("%s is read and printed back: %s", (kind, text) => {
    const read = readClean(`*mangle\n:OTHER - [0:0]\n-A PREROUTING ${text}\nCOMMIT\n`);
    const rule = read.tables[0]!.chains[1]!.rules[0]!;
    expect(rule.statements.map((statement) => statement.kind)).toContain(kind);
    expect(printRule(rule, "PREROUTING")).toBe(`-A PREROUTING ${text}`);
  });

  const saddr: Expression = { kind: "field", field: "saddr" };
  const foreign: Statement[] = [
    { kind: "compare", left: saddr, right: { value: 1, mask: 1 }, negate: false },
    { kind: "assign", field: "mark", value: saddr },
    { kind: "lookup", key: [saddr], set: "a", negate: false },
    { kind: "set-update", operation: "add", set: "a", key: [saddr] },
    { kind: "counter", packets: 1, bytes: 2 },
    { kind: "continue" },
    { kind: "verdict-map", key: [saddr], map: "a" },
    { kind: "transport", protocol: null },
  ];

  it.each(foreign)("$kind has no iptables spelling, and the printer says so", (statement) => {
    expect(() => printRule({ statements: [statement] }, "A")).toThrow(ProblemError);
  });

  it("the table has an entry for each that iptables can spell, and its kind is right", () => {
    const inTable = [...Object.keys(matches), ...Object.keys(targets)].sort();
    const header = ["address", "fragment", "interface", "opaque-match", "opaque-target", "protocol"];
    expect([...inTable, ...header].sort()).toEqual(spelled.map(([kind]) => kind).sort());
    for (const [kind, syntax] of [...Object.entries(matches), ...Object.entries(targets)])
      expect(syntax.kind).toBe(kind);
  });

  it("two tests of one field, or anything after a target, are refused by the printer", () => {
    const protocol: Statement = { kind: "protocol", protocol: 6, negate: false };
    expect(() => printRule({ statements: [protocol, protocol] }, "A")).toThrow(ProblemError);
    expect(() => printRule({ statements: [{ kind: "accept" }, { kind: "drop" }] }, "A")).toThrow(ProblemError);
  });
});
