import { describe, expect, it } from "vitest";
import { ProblemError } from "../../src/ruleset/problem.js";
import type { RuleSet } from "../../src/ruleset/types.js";
import { printNft } from "../../src/syntax/nft/printer.js";
import { readRules } from "../../src/syntax/read.js";
import { translate, type TranslateOptions } from "../../src/translate/translate.js";

/** A rule set of one table; user chains are declared by their use. */
function save(table: string, lines: readonly string[], family: "ip" | "ip6" = "ip"): RuleSet {
  const builtIn = {
    raw: "PREROUTING OUTPUT",
    nat: "PREROUTING INPUT OUTPUT POSTROUTING",
    filter: "INPUT FORWARD OUTPUT",
  };
  const heads = (builtIn as Record<string, string>)[table]!.split(" ").map((chain) => `:${chain} ACCEPT [0:0]`);
  const named = new Set(lines.flatMap((line) => [...line.matchAll(/-[Ajg] ([a-z][\w-]*)/g)].map(([, name]) => name)));
  const text = [`*${table}`, ...heads, ...[...named].map((name) => `:${name} - [0:0]`), ...lines, "COMMIT", ""].join(
    "\n",
  );
  const from = family === "ip" ? "iptables-save" : "ip6tables-save";
  const { ruleset, problems } = readRules(text, { from });
  if (ruleset === undefined) throw new Error(problems.map((one) => one.message).join("; "));
  return ruleset;
}

/** The rules of one chain after translation. */
function chainOf(text: string, chain: string): string[] {
  const [, body = ""] =
    new RegExp(`\tchain ${chain} \\{\n([^}]*?)\n\t\\}`).exec(text.replaceAll(/\{ [^\n]* \}/g, "[...]")) ?? [];
  return body === ""
    ? []
    : body
        .split("\n")
        .map((line) => line.trim())
        .filter((line) => !line.startsWith("type "));
}

function translated(
  table: string,
  lines: readonly string[],
  options: TranslateOptions = {},
  family?: "ip" | "ip6",
): string {
  return printNft(translate(save(table, lines, family), options).ruleset);
}

describe("one rule after the other", () => {
  it.each<[string, string, string[]]>([
    ["filter", "-s 10.0.0.0/8 ! -d 1.2.3.4/32 -j ACCEPT", ["ip saddr 10.0.0.0/8 ip daddr != 1.2.3.4 accept"]],
    ["filter", "-s 10.0.0.3/255.0.0.255 -j DROP", ["ip saddr & 255.0.0.255 == 10.0.0.3 drop"]],
    ["filter", "-i eth+ ! -o cali0 -j RETURN", ['iifname "eth*" oifname != "cali0" return']],
    ["filter", "-p tcp -m tcp --sport 1:1023 ! --dport 80 -j DROP", ["tcp sport 1-1023 tcp dport != 80 drop"]],
    ["filter", "-p tcp -m tcp --tcp-flags SYN,ACK SYN -j DROP", ["tcp flags syn / syn,ack drop"]],
    ["filter", "-p udp -j ACCEPT", ["meta l4proto udp accept"]],
    ["filter", "! -p icmp -j ACCEPT", ["meta l4proto != icmp accept"]],
    ["filter", "-p icmp -m icmp --icmp-type 8 -j ACCEPT", ["icmp type echo-request accept"]],
    ["filter", "-p tcp -m multiport --dports 80,443,8000:8002,8001 -j DROP", ["tcp dport [...] drop"]],
    ["filter", "-p tcp -m multiport --ports 80 -j DROP", ["tcp sport 80 drop", "tcp sport != 80 tcp dport 80 drop"]],
    ["filter", "-p tcp -m multiport ! --ports 80 -j DROP", ["tcp sport != 80 tcp dport != 80 drop"]],
    ["filter", "-m iprange --src-range 10.0.0.1-10.0.0.9 -j DROP", ["ip saddr 10.0.0.1-10.0.0.9 drop"]],
    ["filter", "-m mark ! --mark 0x4000/0x4000 -j RETURN", ["meta mark & 0x00004000 != 0x00004000 return"]],
    ["filter", "-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT", ["ct state established,related accept"]],
    [
      "filter",
      "-m conntrack --ctstate NEW,DNAT -j ACCEPT",
      ["ct state new accept", "ct state established,related ct status dnat accept"],
    ],
    [
      "filter",
      "-m conntrack ! --ctstate ESTABLISHED,DNAT -j DROP",
      ["ct state invalid,untracked drop", "ct state related,new ct status ! dnat drop"],
    ],
    [
      "filter",
      "-m addrtype --src-type LOCAL ! --dst-type LOCAL -j DROP",
      ["fib saddr type local fib daddr type != local drop"],
    ],
    [
      "filter",
      "-m statistic --mode random --probability 0.33333333349 -j DROP",
      ["numgen random mod 2147483648 < 715827883 drop"],
    ],
    ["filter", "-m statistic --mode random --probability 0 -j DROP", []],
    ["filter", "-m statistic --mode random --probability 1 -j DROP", ["drop"]],
    ["filter", "-m statistic --mode nth --every 3 --packet 1 -j DROP", ["numgen inc mod 3 1 drop"]],
    ["filter", "-m limit --limit 5/min --limit-burst 7 -j ACCEPT", ["limit rate 5/minute burst 7 packets accept"]],
    ["filter", '-m comment --comment "why so" -j ACCEPT', ['accept comment "why so"']],
    ["filter", "-j REJECT --reject-with icmp-host-prohibited", ["reject with icmp host-prohibited"]],
    ["filter", "-p tcp -j REJECT --reject-with tcp-reset", ["reject with tcp reset"]],
    ["filter", '-j LOG --log-prefix "no " --log-level 6', ['log prefix "no " level info']],
    ["filter", '-j NFLOG --nflog-prefix "x"', ['log prefix "x" group 0']],
    ["raw", "-j CT --notrack", ["notrack"]],
    ["nat", "-p tcp -j DNAT --to-destination 10.0.0.1:8080", ["meta l4proto tcp dnat to 10.0.0.1:8080"]],
    ["nat", "-j DNAT --to-destination 10.0.0.1-10.0.0.6 --persistent", ["dnat to 10.0.0.1-10.0.0.6 persistent"]],
    ["nat", "-p udp -j REDIRECT --to-ports 53", ["meta l4proto udp redirect to :53"]],
    ["nat", "-j MARK --set-xmark 0x4000/0x4000", ["meta mark set meta mark | 0x00004000"]],
    ["nat", "-j CONNMARK --restore-mark", ["meta mark set ct mark"]],
  ])("%s: %s", (table, rule, expected) => {
    const chain = table === "filter" ? "FORWARD" : "PREROUTING";
    expect(chainOf(translated(table, [`-A ${chain} ${rule}`]), chain)).toEqual(expected);
  });

  it("a rule keeps its counter, behind its tests", () => {
    const text = translated("filter", ["[7:420] -A FORWARD -p tcp -m tcp --dport 80 -j ACCEPT"]);
    expect(chainOf(text, "FORWARD")).toEqual(["tcp dport 80 counter packets 7 bytes 420 accept"]);
  });

  it("tables keep hook, priority and policy; names that nft cannot read are changed", () => {
    const text = translated("nat", ["-A POSTROUTING -j masq", "-A masq -o eth0 -j MASQUERADE --random-fully"]);
    expect(text).toContain("type nat hook postrouting priority srcnat; policy accept;");
    expect(chainOf(text, "POSTROUTING")).toEqual(["jump chain-masq"]);
    expect(chainOf(text, "chain-masq")).toEqual(['oifname "eth0" masquerade fully-random']);
  });

  it("recent lists become sets with the time-out of the rule that asks", () => {
    const lines = [
      "-A PREROUTING -m recent --rcheck --seconds 600 --reap --name SEP --rsource -j to",
      "-A to -p tcp -m recent --set --name SEP --rsource -m tcp -j DNAT --to-destination 10.0.0.1:80",
    ];
    const { ruleset, problems } = translate(save("nat", lines));
    const text = printNft(ruleset);
    expect(text).toContain(
      "set recent-SEP {\n\t\ttype ipv4_addr\n\t\tsize 65535\n\t\tflags dynamic,timeout\n\t\ttimeout 10m\n",
    );
    expect(chainOf(text, "PREROUTING")).toEqual(["ip saddr @recent-SEP jump chain-to"]);
    expect(text).toContain("meta l4proto tcp update @recent-SEP { ip saddr } dnat to 10.0.0.1:80");
    expect(problems.map((one) => one.message).join()).toContain("hold 100 addresses");
  });
});

describe("folding", () => {
  const service = (n: number, end: string, more = ""): string =>
    `-A PREROUTING ${more}-d 172.30.0.${n}/32 -p tcp -m tcp --dport 80 ${end}`;

  it("a run of exact rules is a verdict map; keys with more than a verdict have a chain of their own", () => {
    const text = translated("nat", [
      service(1, "-j svc-a"),
      service(2, "-j MARK --set-xmark 0x1/0x1", "! -s 10.0.0.0/8 "),
      service(2, "-j svc-b"),
      service(3, "-j RETURN"),
      "-A PREROUTING -j svc-c",
    ]);
    expect(chainOf(text, "PREROUTING")).toEqual([
      "ip daddr . meta l4proto . th dport vmap @PREROUTING-by-daddr-protocol-dport",
      "jump chain-svc-c",
    ]);
    expect(text).toContain("172.30.0.1 . tcp . 80 : jump chain-svc-a");
    expect(text).toContain("172.30.0.2 . tcp . 80 : jump PREROUTING-172.30.0.2-tcp-80");
    expect(text).toContain("172.30.0.3 . tcp . 80 : return");
    expect(chainOf(text, "PREROUTING-172.30.0.2-tcp-80")).toEqual([
      "ip saddr != 10.0.0.0/8 meta mark set meta mark | 0x00000001",
      "jump chain-svc-b",
    ]);
  });

  it("a key that leaves the chain and comes again ends the run; short runs stay rules", () => {
    const text = translated("nat", [service(1, "-j RETURN"), service(1, "-j svc-a"), service(2, "-j svc-a")]);
    expect(chainOf(text, "PREROUTING")).toHaveLength(3);
  });

  const pick = (...chances: (string | undefined)[]): string[] => [
    "-A PREROUTING -j pick",
    ...chances.map(
      (p, i) => `-A pick ${p === undefined ? "" : `-m statistic --mode random --probability ${p} `}-j e${i}`,
    ),
    ...chances.map((_, i) => `-A e${i} -p tcp -j DNAT --to-destination 10.0.0.${i + 1}:80`),
  ];

  it("an even choice of chains that decide is one draw", () => {
    const lines = pick("0.33333333349", "0.5", undefined).map((line) =>
      line.replace("-A PREROUTING", "-A PREROUTING -p tcp"),
    );
    const text = translated("nat", lines);
    expect(chainOf(text, "chain-pick")).toEqual(["numgen random mod 3 vmap @pick-choice"]);
    expect(text).toContain("elements = { 0 : jump chain-e0, 1 : jump chain-e1, 2 : jump chain-e2 }");
  });

  it.each([
    ["chances that are uneven", pick("0.25", "0.5", undefined), "-p tcp"],
    ["chains some packets return from", pick("0.5", undefined), ""],
  ])("%s stay two draws", (_, lines, protocol) => {
    const text = translated(
      "nat",
      lines.map((line) => line.replace("-A PREROUTING", `-A PREROUTING ${protocol}`)),
    );
    expect(chainOf(text, "chain-pick")[0]).toContain("numgen random mod 2147483648 <");
  });

  it("without folding every rule stays a rule", () => {
    const lines = [service(1, "-j svc-a"), service(2, "-j svc-a"), service(3, "-j svc-a")];
    expect(chainOf(translated("nat", lines, { fold: false }), "PREROUTING")).toHaveLength(3);
  });

  it("says that counters in maps are left out", () => {
    const lines = [1, 2, 3].map((n) => `[5:300] ${service(n, "-j svc-a")}`);
    expect(translate(save("nat", lines)).problems.map((one) => one.code)).toEqual(["counters-left-out"]);
    expect(translate(save("nat", lines), { fold: false }).problems).toEqual([]);
  });
});

describe("what has no counterpart is refused with its line", () => {
  it.each<[string, string, "ip" | "ip6", RegExp]>([
    ["physdev", "-m physdev ! --physdev-is-in -j ACCEPT", "ip", /physdev.*--without-bridges/],
    ["an ipset", "-m set --match-set HOSTS src -j ACCEPT", "ip", /ipset HOSTS/],
    ["nfacct", "-m nfacct --nfacct-name n -j ACCEPT", "ip", /nfacct counter n/],
    ["a fragment", "-f -j DROP", "ip", /fragments/],
    ["an unknown match", "-m ttl --ttl-eq 5 -j ACCEPT", "ip", /"ttl" is not known/],
    ["an unknown target", "-j TTL --ttl-set 5", "ip", /TTL is not known/],
    ["counted hits", "-m recent --rcheck --seconds 9 --hitcount 3 --name x -j DROP", "ip", /--hitcount/],
    ["a negated update", "-m recent ! --update --seconds 9 --name x -j DROP", "ip", /--update/],
    ["two protocols at once", "-p tcp -m conntrack --ctproto 17 -j DROP", "ip", /two protocols/],
    [
      "ports of a connection of any protocol",
      "-m conntrack --ctorigdstport 80 -j DROP",
      "ip",
      /only behind a protocol/,
    ],
    ["part of a mark", "-j CONNMARK --save-mark --nfmask 0xff --ctmask 0xff", "ip", /keeps some bits/],
    ["addresses by interface", "-m addrtype --src-type LOCAL --limit-iface-in -j DROP", "ip", /--limit-iface-in/],
    ["types of IPv6 addresses", "-m addrtype --src-type UNICAST -j DROP", "ip6", /UNICAST/],
    [
      "state kept twice",
      "-m conntrack --ctstate NEW,DNAT -m limit --limit 1/sec -j DROP",
      "ip",
      /limit would be kept twice/,
    ],
    ["a quotation mark in a log", '-j LOG --log-prefix "a\\"b"', "ip", /quotation mark/],
  ])("%s", (_, rule, family, message) => {
    const ruleset = save("filter", ["-A FORWARD -j ACCEPT", `-A FORWARD ${rule}`], family);
    let thrown: unknown;
    try {
      translate(ruleset);
    } catch (failure) {
      thrown = failure;
    }
    expect(thrown).toBeInstanceOf(ProblemError);
    const [problem] = (thrown as ProblemError).problems;
    expect(problem!.message).toMatch(message);
    expect(problem!.span?.line).toBe(6);
  });

  it("without bridges, physdev is settled", () => {
    const lines = [
      "-A FORWARD -m physdev ! --physdev-is-in -j ACCEPT",
      "-A FORWARD -m physdev --physdev-is-in -j DROP",
    ];
    expect(chainOf(translated("filter", lines, { withoutBridges: true }), "FORWARD")).toEqual(["accept"]);
  });

  it("one recent list asked for two spans", () => {
    const lines = [9, 10].map((seconds) => `-A FORWARD -m recent --rcheck --seconds ${seconds} --name x -j DROP`);
    expect(() => translated("filter", lines)).toThrow("different spans");
  });

  it("one recent list in two tables", () => {
    const rule = "-A PREROUTING -m recent --set --name x -j RETURN";
    const { tables } = save("nat", [rule]);
    expect(() => translate({ tables: [...tables, ...save("raw", [rule]).tables] })).toThrow(
      "a set belongs to one table",
    );
  });

  it("jumps that nest deeper than nftables lets them", () => {
    const nested = (n: number): string[] => [
      "-A FORWARD -j c1-x-y",
      ...Array.from({ length: n - 1 }, (_, i) => `-A c${i + 1}-x-y -j c${i + 2}-x-y`),
    ];
    expect(translated("filter", nested(15))).toContain("jump c15-x-y");
    expect(() => translated("filter", nested(16))).toThrow("nest 16 chains deep");
  });

  it("a rule set that is nftables already", () => {
    const once = translate(save("nat", pickOne)).ruleset;
    expect(() => translate(once)).toThrow("is an nftables table already");
  });
});

const pickOne = [1, 2, 3].map((n) => `-A PREROUTING -d 172.30.0.${n}/32 -j ACCEPT`);
