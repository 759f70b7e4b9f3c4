import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { formatProblem } from "../../src/syntax/problem.js";
import { readRules, type ReadOptions } from "../../src/syntax/read.js";

/** The problems of an input, as a command prints them. */
function said(input: Uint8Array | string, options: ReadOptions = {}): string[] {
  const { problems, ruleset, text } = readRules(input, options);
  if (problems.some((problem) => problem.severity === "error")) expect(ruleset).toBeUndefined();
  return problems.map((problem) => formatProblem(problem, { file: "F", ...(text === undefined ? {} : { text }) }));
}

/** A rule in table filter, on line 3. */
const rule = (text: string): string => `*filter\n:INPUT ACCEPT [0:0]\n${text}\nCOMMIT\n`;
const nat = (text: string): string => `*nat\n:PREROUTING ACCEPT [0:0]\n${text}\nCOMMIT\n`;

/** Input, then what is said of it: place and message, the line, the caret. */
const cases: readonly (readonly [name: string, input: string | Uint8Array, ...said: string[]])[] = [
  [
    "an empty file",
    "",
    "F:1:1: the input is empty: an iptables-save text, an iptables -S listing or nft list ruleset is expected",
    "",
    "^",
  ],
  [
    "only comments",
    "# nothing\n\n",
    "F:1:1: the input holds no rules, only comments: an iptables-save text, an iptables -S listing or nft list ruleset is expected",
    "# nothing",
    "^",
  ],
  [
    "a truncated file",
    "*nat\n:OUTPUT ACCEPT [0:0]\n-A OUTPUT -j ACC",
    "F:3:17: the text ends inside the table nat: its COMMIT line is missing",
    "-A OUTPUT -j ACC",
    "                ^",
  ],
  [
    "a table in a table",
    "*nat\n*filter\nCOMMIT\n",
    "F:2:1: the table nat has no COMMIT line before this one",
    "*filter",
    "^",
  ],
  [
    "the same table twice",
    "*nat\nCOMMIT\n*nat\nCOMMIT\n",
    "F:3:1: the table nat stands twice in the text; the second would replace the first",
    "*nat",
    "^",
  ],
  [
    "an unknown table",
    "*natt\nCOMMIT\n",
    'F:1:2: unknown table "natt": iptables has raw, mangle, nat, filter, security',
    "*natt",
    " ^",
  ],
  [
    "a rule outside a table",
    ":X - [0:0]\n",
    'F:1:1: this line stands outside a table: a line such as "*nat" must come first',
    ":X - [0:0]",
    "^",
  ],
  [
    "a bad line",
    rule("accept all"),
    'F:3:1: expected a rule ("-A CHAIN ..."), a chain (":NAME POLICY [0:0]"), "*TABLE", "COMMIT" or a "#" comment',
    "accept all",
    "^",
  ],
  [
    "a command that changes rules",
    rule("-D INPUT 1"),
    'F:3:1: expected a rule ("-A CHAIN ..."), a chain (":NAME POLICY [0:0]"), "*TABLE", "COMMIT" or a "#" comment',
    "-D INPUT 1",
    "^",
  ],
  [
    "a bad option",
    rule("-A INPUT -p tcp --dporrt 80 -j DROP"),
    'F:3:17: unknown option "--dporrt"',
    "-A INPUT -p tcp --dporrt 80 -j DROP",
    "                ^",
  ],
  [
    "an option without its match",
    rule("-A INPUT --mark 1 -j DROP"),
    'F:3:10: unknown option "--mark": it belongs to -m mark or -m connmark, which must stand before it',
    "-A INPUT --mark 1 -j DROP",
    "         ^",
  ],
  [
    "a bad option of a target",
    rule("-A INPUT -j DROP --now"),
    'F:3:18: unknown option "--now"',
    "-A INPUT -j DROP --now",
    "                 ^",
  ],
  [
    "an unknown chain",
    rule("-A INPU -j DROP"),
    'F:3:4: chain INPU is not declared: a line ":INPU - [0:0]" must come before its rules',
    "-A INPU -j DROP",
    "   ^",
  ],
  [
    "a chain declared twice",
    "*nat\n:A - [0:0]\n:A - [0:0]\nCOMMIT\n",
    "F:3:2: chain A is declared twice in table nat",
    ":A - [0:0]",
    " ^",
  ],
  [
    "a bad policy",
    "*nat\n:OUTPUT REJECT [0:0]\nCOMMIT\n",
    'F:2:9: the policy of OUTPUT is ACCEPT or DROP, not "REJECT"',
    ":OUTPUT REJECT [0:0]",
    "        ^",
  ],
  [
    "a policy of a user chain",
    "*nat\n:FORWARD ACCEPT [0:0]\nCOMMIT\n",
    'F:2:10: FORWARD is not a built-in chain of table nat: its policy is written "-"',
    ":FORWARD ACCEPT [0:0]",
    "         ^",
  ],
  [
    "bad counters",
    "*nat\n:OUTPUT ACCEPT [1;2]\nCOMMIT\n",
    "F:2:16: counters are [PACKETS:BYTES], two whole numbers, not [1;2]",
    ":OUTPUT ACCEPT [1;2]",
    "               ^",
  ],
  [
    "a quoted chain",
    rule('-A "INPUT" -j DROP'),
    "F:3:4: the name of a chain stands without quotes",
    '-A "INPUT" -j DROP',
    "   ^",
  ],
  [
    "a counter beyond 2^53",
    rule("[1:9007199254740992] -A INPUT -j DROP"),
    "F:3:1: a counter above 2^53 - 1 cannot be held exactly",
    "[1:9007199254740992] -A INPUT -j DROP",
    "^",
  ],
  [
    "a bad address",
    rule("-A INPUT -s 10.0.0.256 -j DROP"),
    'F:3:13: -s needs an IPv4 address or prefix, not "10.0.0.256"',
    "-A INPUT -s 10.0.0.256 -j DROP",
    "            ^",
  ],
  [
    "a bad prefix length",
    rule("-A INPUT -d 10.0.0.0/33 -j DROP"),
    'F:3:13: -d needs an IPv4 address or prefix, not "10.0.0.0/33"',
    "-A INPUT -d 10.0.0.0/33 -j DROP",
    "            ^",
  ],
  [
    "an address of the other family",
    rule("-A INPUT -s 10.0.0.1 -j DROP\n-A INPUT -d fd00::1 -j DROP"),
    'F:4:13: -d needs an IPv4 address or prefix, not "fd00::1"',
    "-A INPUT -d fd00::1 -j DROP",
    "            ^",
  ],
  [
    "a probability of 1.5",
    rule("-A INPUT -m statistic --mode random --probability 1.5 -j DROP"),
    'F:3:51: --probability needs a number from 0 to 1, not "1.5"',
    "-A INPUT -m statistic --mode random --probability 1.5 -j DROP",
    `${" ".repeat(50)}^`,
  ],
  [
    "a port beyond 65535",
    rule("-A INPUT -p tcp --dport 65536"),
    'F:3:25: --dport needs a port from 0 to 65535, not "65536"',
    "-A INPUT -p tcp --dport 65536",
    `${" ".repeat(24)}^`,
  ],
  [
    "an empty port range",
    rule("-A INPUT -p tcp --dport 90:80"),
    "F:3:25: the port range 90:80 is empty: write the lower port first",
    "-A INPUT -p tcp --dport 90:80",
    `${" ".repeat(24)}^`,
  ],
  [
    "ports without a protocol",
    rule("-A INPUT -m tcp --dport 80"),
    "F:3:10: -m tcp needs -p tcp",
    "-A INPUT -m tcp --dport 80",
    "         ^",
  ],
  [
    "ports of the wrong protocol",
    rule("-A INPUT -p udp -m tcp --dport 80"),
    "F:3:17: -m tcp needs -p tcp",
    "-A INPUT -p udp -m tcp --dport 80",
    "                ^",
  ],
  [
    "an unknown protocol",
    rule("-A INPUT -p tpc"),
    'F:3:13: unknown protocol "tpc": use a name such as tcp, or a number from 0 to 255',
    "-A INPUT -p tpc",
    "            ^",
  ],
  [
    "an interface name that is too long",
    rule("-A INPUT -i abcdefghijklmnop"),
    'F:3:13: -i needs an interface name of 1 to 15 characters, not "abcdefghijklmnop"',
    "-A INPUT -i abcdefghijklmnop",
    "            ^",
  ],
  [
    "an option twice",
    rule("-A INPUT -p tcp --dport 1 --dport 2"),
    "F:3:27: --dport can be used once in a match",
    "-A INPUT -p tcp --dport 1 --dport 2",
    `${" ".repeat(26)}^`,
  ],
  [
    "a header option twice",
    rule("-A INPUT -s 1.1.1.1 -s 2.2.2.2"),
    "F:3:21: -s stands twice in the rule",
    "-A INPUT -s 1.1.1.1 -s 2.2.2.2",
    `${" ".repeat(20)}^`,
  ],
  [
    "two targets",
    rule("-A INPUT -j DROP -j ACCEPT"),
    "F:3:18: a rule has one target: a second -j or -g cannot stand in it",
    "-A INPUT -j DROP -j ACCEPT",
    `${" ".repeat(17)}^`,
  ],
  ["a missing value", rule("-A INPUT -s"), "F:3:10: -s needs a value", "-A INPUT -s", "         ^"],
  [
    "a missing value of a match",
    rule("-A INPUT -m comment --comment"),
    "F:3:21: --comment needs a value",
    "-A INPUT -m comment --comment",
    `${" ".repeat(20)}^`,
  ],
  [
    "a match without its option",
    rule("-A INPUT -m mark"),
    "F:3:10: mark needs the option --mark",
    "-A INPUT -m mark",
    "         ^",
  ],
  [
    "what cannot be inverted",
    rule('-A INPUT -m comment ! --comment "x"'),
    'F:3:23: --comment cannot be inverted with "!"',
    '-A INPUT -m comment ! --comment "x"',
    `${" ".repeat(22)}^`,
  ],
  [
    "a ! before -j",
    rule("-A INPUT ! -j DROP"),
    "F:3:10: `!` cannot stand before -j",
    "-A INPUT ! -j DROP",
    "         ^",
  ],
  ["a ! at the end", rule("-A INPUT !"), "F:3:10: `!` must stand before an option", "-A INPUT !", "         ^"],
  [
    "an open quote",
    rule('-A INPUT -m comment --comment "x -j DROP'),
    "F:3:31: this quote is not closed before the line ends",
    '-A INPUT -m comment --comment "x -j DROP',
    `${" ".repeat(30)}^`,
  ],
  [
    "a stray word",
    rule("-A INPUT -m comment --comment a b"),
    'F:3:33: "b" stands where an option should: is a quote missing?',
    "-A INPUT -m comment --comment a b",
    `${" ".repeat(32)}^`,
  ],
  [
    "a bad state",
    rule("-A INPUT -m conntrack --ctstate NEWW"),
    'F:3:33: unknown connection state "NEWW": use NEW, ESTABLISHED, RELATED, INVALID, ...',
    "-A INPUT -m conntrack --ctstate NEWW",
    `${" ".repeat(32)}^`,
  ],
  [
    "a bad mark",
    rule("-A INPUT -m mark --mark 0x100000000"),
    'F:3:25: --mark needs VALUE or VALUE/MASK of 32 bits, not "0x100000000"',
    "-A INPUT -m mark --mark 0x100000000",
    `${" ".repeat(24)}^`,
  ],
  [
    "a bad rate",
    rule("-A INPUT -m limit --limit 5/fortnight"),
    'F:3:27: --limit needs a rate such as 3/second or 10/hour, not "5/fortnight"',
    "-A INPUT -m limit --limit 5/fortnight",
    `${" ".repeat(26)}^`,
  ],
  [
    "an unknown answer",
    rule("-A INPUT -j REJECT --reject-with no"),
    'F:3:34: unknown answer "no": --reject-with takes icmp-port-unreachable, icmp-net-unreachable, icmp-host-unreachable, icmp-proto-unreachable, icmp-net-prohibited, icmp-host-prohibited, tcp-reset, icmp-admin-prohibited',
    "-A INPUT -j REJECT --reject-with no",
    `${" ".repeat(33)}^`,
  ],
  [
    "a destination with a bad port",
    nat("-A PREROUTING -p tcp -j DNAT --to-destination 10.0.0.1:99999"),
    'F:3:47: --to-destination needs a port from 0 to 65535 or FIRST-LAST, not "99999"',
    "-A PREROUTING -p tcp -j DNAT --to-destination 10.0.0.1:99999",
    `${" ".repeat(46)}^`,
  ],
  [
    "a destination port without a protocol",
    nat("-A PREROUTING -j DNAT --to-destination 10.0.0.1:80"),
    "F:3:15: a translation of ports needs -p tcp, udp, udplite, sctp or dccp",
    "-A PREROUTING -j DNAT --to-destination 10.0.0.1:80",
    "              ^",
  ],
  [
    "-t in a rule",
    rule("-A INPUT -t nat -j DROP"),
    "F:3:10: -t cannot stand in a rule",
    "-A INPUT -t nat -j DROP",
    "         ^",
  ],
  [
    "a place that is not there",
    rule("-I INPUT 3 -j DROP"),
    "F:3:10: INPUT has 0 rules so far: there is no place 3",
    "-I INPUT 3 -j DROP",
    "         ^",
  ],
  [
    "a line after tabs",
    rule("\t-A INPUT\t-s x"),
    'F:3:14: -s needs an IPv4 address or prefix, not "x"',
    "\t-A INPUT\t-s x",
    "\t        \t   ^",
  ],
  [
    "a binary file",
    Uint8Array.of(0x7f, 0x45, 0x4c, 0x46, 10, 0x41, 0),
    "F:2:2: this is a binary file (it holds a NUL byte): a text of rules is expected",
  ],
  [
    "text that is not UTF-8",
    Uint8Array.from(Buffer.from("*nat\nCOMMIT \xe9\n", "latin1")),
    "F:2:8: the text is not UTF-8: this byte begins no character",
  ],
  [
    "truncated gzip",
    gzipSync("*nat\nCOMMIT\n".repeat(100)).subarray(0, 20),
    "F:1:1: the gzip data ends before its end: the file is truncated",
  ],
  [
    "damaged gzip",
    Uint8Array.of(0x1f, 0x8b, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9),
    "F:1:1: the gzip data is damaged (unknown compression method)",
  ],
  [
    "iptables -L",
    "Chain INPUT (policy ACCEPT)\n",
    "F:1:1: this is the output of iptables -L, which leaves things out: use iptables-save or iptables -S",
    "Chain INPUT (policy ACCEPT)",
    "^",
  ],
  [
    "something else",
    "apiVersion: v1\n",
    'F:1:1: no known format: expected an iptables-save text (it begins with "*table"), an iptables -S listing ("-A CHAIN ...") or nft list ruleset ("table ip NAME {")',
    "apiVersion: v1",
    "^",
  ],
  [
    "a listing of another table",
    "-P FORWARD ACCEPT\n",
    "F:1:4: FORWARD is not a built-in chain of table nat, only of mangle, filter, security: name the listing's table",
    "-P FORWARD ACCEPT",
    "   ^",
  ],
];

describe("bad input", () => {
  it.each(cases)("%s", (_, input, ...expected) => {
    expect(said(input)).toEqual([expected.join("\n")]);
  });

  it("a line of 1 MB: the place where reading stopped, and a piece of the line", () => {
    const [message, shown, caret] = said(rule(`-A INPUT -m comment --comment ${"x".repeat(1 << 20)}`))[0]!.split("\n");
    expect(message).toBe("F:3:65537: this line has 1048606 characters: at most 65536 are read");
    expect(shown!.length).toBeLessThan(140);
    expect(caret!.length).toBeLessThan(80);
  });

  it("many problems are told together, up to twenty, in the order of their lines", () => {
    const problems = readRules(rule(Array.from({ length: 50 }, (_, i) => `-A INPUT -s ${i}`).join("\n"))).problems;
    expect(problems.map((problem) => problem.span?.line)).toEqual(Array.from({ length: 20 }, (_, i) => i + 3));
  });

  it("an unknown table for a listing", () => {
    expect(said("-A OUTPUT -j DROP\n", { table: "nope" })).toEqual([
      'F: unknown table "nope": iptables has raw, mangle, nat, filter, security',
    ]);
  });
});

describe("good input in other clothes", () => {
  const text =
    '*nat\n:OUTPUT ACCEPT [0:0]\n-A OUTPUT -m comment --comment "gr\u00fc\u00dfe \u{1f600}" -j ACCEPT\nCOMMIT\n';
  const plainly = JSON.stringify(readRules(text).ruleset);

  it("gzip, a byte order mark, bytes and strings read the same", () => {
    expect(plainly).toContain("gr\u00fc\u00dfe \u{1f600}");
    for (const input of [gzipSync(text), Buffer.from(`\ufeff${text}`), Buffer.from(text)])
      expect(JSON.stringify(readRules(input).ruleset)).toBe(plainly);
  });

  it("the family comes from the first line, else from the addresses, unless it is given", () => {
    const family = (input: string, options: ReadOptions = {}): string | undefined =>
      readRules(input, options).ruleset?.tables[0]?.family;
    expect(family(text)).toBe("ip");
    expect(family(text, { family: "ip6" })).toBe("ip6");
    expect(family(text, { from: "ip6tables-save" })).toBe("ip6");
    expect(family(`# Generated by ip6tables-save v1.8.9 on a day\n${text}`)).toBe("ip6");
    expect(family("-A OUTPUT -d fd00::1/128 -j DROP\n")).toBe("ip6");
    expect(readRules("-A OUTPUT -d fd00::1/128 -j DROP\n").format).toBe("ip6tables-listing");
  });

  it("a problem without a place, and one behind the end of the text, are shown without a line", () => {
    expect(formatProblem({ code: "x", severity: "error", message: "m" }, { file: "F", text: "t" })).toBe("F: m");
    expect(
      formatProblem(
        { code: "x", severity: "warning", message: "m", span: { line: 9, column: 2 } },
        { file: "F", text: "t" },
      ),
    ).toBe("F:9:2: warning: m");
  });
});
