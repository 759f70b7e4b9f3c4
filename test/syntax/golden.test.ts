import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { printRule } from "../../src/syntax/iptables/printer.js";
import { readRules } from "../../src/syntax/read.js";
import { plain, printPlain, readClean } from "./round-trip.js";

const folder = new URL("../golden/iptables/", import.meta.url);
const files = readdirSync(folder);
const open = (name: string): string => readFileSync(new URL(name, folder), "utf8");
const familyIn = (name: string): "ip" | "ip6" => (name.includes("ip6") ? "ip6" : "ip");

describe("law A: what iptables-save 1.8.9 prints is printed back, letter by letter", () => {
  it.each(files.filter((name) => /^ip6?-.*\.save$/.test(name)))("%s", (name) => {
    const text = open(name);
    const ruleset = readClean(text, {}, name);
    expect(ruleset.tables.map((table) => table.family)).toEqual(ruleset.tables.map(() => familyIn(name)));
    expect(ruleset.tables.length).toBeGreaterThanOrEqual(4);
    expect(printPlain(ruleset)).toBe(text);
  });

  it.each(files.filter((name) => /^list-.*\.txt$/.test(name)))("and so is the listing %s", (name) => {
    const text = open(name);
    const ruleset = readClean(text, { table: "filter", family: familyIn(name) }, name);
    expect(ruleset.tables[0]?.partial).toBe(true);
    expect(printPlain(ruleset)).toBe(text);
  });
});

const used = new Set<string>();

interface Spelling {
  readonly table: string;
  readonly given: string;
  readonly printed: string;
}

/** Pairs of lines: the rule as given to iptables, and as `iptables -S` printed it, or ERR and why it was refused. */
function spellings(name: string): Spelling[] {
  const lines = open(name).split("\n");
  const pairs: Spelling[] = [];
  for (let i = 0; i + 1 < lines.length; i += 2) {
    const [place, ...rest] = lines[i]!.split(" ");
    const [table, chain] = place!.split(":") as [string, string?];
    const text = rest.join(" ");
    const target = chain ?? (text.includes("-o ") ? "FORWARD" : "INPUT");
    pairs.push({ table, given: `-A ${target} ${text}`, printed: lines[i + 1]!.trim() });
  }
  return pairs;
}

/** Where this reader knowingly differs, and why. */
const differences: readonly (readonly [given: RegExp, reason: string, printed?: RegExp])[] = [
  [
    /./,
    "the kernel refuses it, not iptables",
    /^ERR .*(No chain\/target\/match|No such file or directory\): rule|Invalid argument|Numerical result)/,
  ],
  [/--dport ! 80|-s ! 1\.2\.3\.4/, "1.8.9 has dropped this spelling, older versions printed it"],
  [/--dport=80|--dpor |--to 1\.2\.3\.4/, "abbreviations and the = of getopt are not read"],
  [/-s 010\.|-s 10\.1$|-s 10\/8/, "shortened and octal addresses are refused"],
  [/0x1p-2/, "hexadecimal fractions are refused"],
  [/! --sport 0:65535/, "iptables leaves out this test, which never holds, and its rule then always holds"],
  [/-i "a b"|--name "x y"/, "names with blanks, which iptables prints as iptables-restore cannot read them"],
  [/--log-prefix "a{10}b/, "iptables cuts the prefix at 29 characters"],
  [/-j (NOSUCH|AVERYLONG)|-g NOSUCH/, "an unknown name is a chain, and resolve() says that it is missing"],
  [/-m (nosuch|ipvs)/, "an unknown match is opaque"],
  [
    /-m (string|time|u32|hashlimit|connlimit|connbytes|dscp|tos|realm) /,
    "opaque matches are kept as they were written",
  ],
  [/-j (TOS|DSCP|TPROXY|CLASSIFY) /, "opaque targets too"],
  [/--ctexpire/, "opaque, so that the order of its options stays"],
  [/--left-shift-mark/, "opaque, so that the order of its options stays"],
  [/--nflog-range/, "no longer supported: the nft backend forgets it, 0 is not printed"],
  [/-m (tcp|udp) .*-m (tcp|udp) /, "the nft backend makes one match of the two", /--sport 5(3)? --dport/],
  [/-m multiport --dports 1 -p tcp/, "-p may follow what needs it"],
];

describe("every other spelling is read as iptables reads it", () => {
  it.each(files.filter((name) => name.startsWith("spellings-")))("%s", (name) => {
    const family = familyIn(name);
    const wrong: string[] = [];
    let same = 0;
    for (const { table, given, printed } of spellings(name)) {
      const text = `*${table}\n:USER - [0:0]\n${given}\nCOMMIT\n`;
      const { ruleset, problems } = readRules(text, { from: "iptables-save", family });
      const chain = ruleset?.tables[0]?.chains.find((one) => one.rules.length > 0);
      const ours = chain === undefined ? "ERR" : printRule(plain(chain.rules[chain.rules.length - 1]!), chain.name);
      if (ours === printed || (ours === "ERR" && printed.startsWith("ERR"))) same++;
      else {
        const known = differences.find(([shape, , result]) => shape.test(given) && (result?.test(printed) ?? true));
        if (known !== undefined) used.add(known[1]);
        else wrong.push(`${given}\n  iptables: ${printed}\n  here:     ${ours} ${problems[0]?.message ?? ""}`);
      }
    }
    expect(wrong.join("\n")).toBe("");
    expect(same).toBeGreaterThan(family === "ip" ? 250 : 45);
  });

  it("and no known difference is out of date", () => {
    expect(differences.map(([, reason]) => reason).filter((reason) => !used.has(reason))).toEqual([]);
  });
});
