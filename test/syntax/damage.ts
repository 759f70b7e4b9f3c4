/** Real rule texts and what may become of them on the way: drawn, so that a seed and a number name an input. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { RuleFormat } from "../../src/syntax/read.js";

/** A whole number from 0 up to, and without, n. */
export type Pick = (n: number) => number;

/** Draws of input `number` of a seed (splitmix32). */
export function picks(seed: number, number: number): Pick {
  let state = (Math.imul(seed, 0x9e3779b1) ^ Math.imul(number + 1, 0x85ebca6b)) | 0;
  return (n) => {
    state = (state + 0x9e3779b9) | 0;
    let z = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return Math.floor((((z ^ (z >>> 15)) >>> 0) / 2 ** 32) * n);
  };
}

export interface RealText {
  readonly format: RuleFormat;
  readonly text: string;
}

const DATASETS = new URL("../../datasets", import.meta.url).pathname;

/** What `nft -j list ruleset` prints of a table with sets, a verdict map and rules of every shape kube-proxy writes. */
const json = JSON.stringify(
  {
    nftables: [
      { metainfo: { version: "1.0.6", release_name: "Lester Gooch #5", json_schema_version: 1 } },
      { table: { family: "ip", name: "kube-proxy", handle: 1 } },
      { set: { family: "ip", name: "cluster-ips", table: "kube-proxy", type: "ipv4_addr", elem: ["10.96.0.10"] } },
      {
        set: {
          family: "ip",
          name: "affinity",
          table: "kube-proxy",
          type: "ipv4_addr",
          size: 65535,
          flags: ["timeout", "dynamic"],
          timeout: 600,
        },
      },
      {
        map: {
          family: "ip",
          name: "service-ips",
          table: "kube-proxy",
          type: ["ipv4_addr", "inet_proto", "inet_service"],
          map: "verdict",
          elem: [[{ concat: ["10.96.0.10", "tcp", 80] }, { goto: { target: "service" } }]],
        },
      },
      {
        chain: {
          family: "ip",
          table: "kube-proxy",
          name: "pre",
          type: "nat",
          hook: "prerouting",
          prio: -100,
          policy: "accept",
        },
      },
      { chain: { family: "ip", table: "kube-proxy", name: "service" } },
      { chain: { family: "ip", table: "kube-proxy", name: "endpoint" } },
      {
        rule: {
          family: "ip",
          table: "kube-proxy",
          chain: "pre",
          handle: 7,
          expr: [
            {
              vmap: {
                key: {
                  concat: [
                    { payload: { protocol: "ip", field: "daddr" } },
                    { meta: { key: "l4proto" } },
                    { payload: { protocol: "th", field: "dport" } },
                  ],
                },
                data: "@service-ips",
              },
            },
          ],
        },
      },
      {
        rule: {
          family: "ip",
          table: "kube-proxy",
          chain: "service",
          handle: 8,
          expr: [
            {
              match: {
                op: "!=",
                left: { payload: { protocol: "ip", field: "saddr" } },
                right: { prefix: { addr: "10.244.0.0", len: 16 } },
              },
            },
            { counter: { packets: 3, bytes: 180 } },
            { mangle: { key: { meta: { key: "mark" } }, value: { "|": [{ meta: { key: "mark" } }, 16384] } } },
          ],
        },
      },
      {
        rule: {
          family: "ip",
          table: "kube-proxy",
          chain: "service",
          handle: 9,
          expr: [
            {
              vmap: {
                key: { numgen: { mode: "random", mod: 1, offset: 0 } },
                data: { set: [[0, { goto: { target: "endpoint" } }]] },
              },
            },
          ],
        },
      },
      {
        rule: {
          family: "ip",
          table: "kube-proxy",
          chain: "endpoint",
          handle: 10,
          comment: "shop/web",
          expr: [
            { match: { op: "==", left: { meta: { key: "l4proto" } }, right: { set: ["tcp", "udp"] } } },
            { match: { op: "in", left: { ct: { key: "state" } }, right: ["new", "established"] } },
            { dnat: { addr: "10.244.1.5", port: 8080 } },
          ],
        },
      },
    ],
  },
  undefined,
  1,
);

/** Every rule text of the datasets, and one in JSON. */
export function realTexts(): RealText[] {
  const found: RealText[] = [{ format: "nft-json", text: json }];
  for (const name of (readdirSync(DATASETS, { recursive: true }) as string[]).toSorted()) {
    const format = name.endsWith(".nft")
      ? "nft"
      : name.endsWith(".iptables-save")
        ? "iptables-save"
        : name.endsWith("listing.txt")
          ? "iptables-listing"
          : undefined;
    if (format !== undefined) found.push({ format, text: readFileSync(join(DATASETS, name), "utf8") });
  }
  return found;
}

/** Words and signs that mean something in some rule text: put into one they make new mistakes. */
const meaning: readonly string[] = [
  ...'! { } [ ] ( ) " \' \\ \\" ; , : . - / @ $ * # = == != | & ^ << 0'.split(" "),
  ..."-A -N -P -I -D -j -g -m -p -s -d -i -o -c -f -4 --comment --dport --sport --dports --mode --every --probability".split(
    " ",
  ),
  ..."--to-destination --set-xmark --mark --rcheck --name --match-set --ctstate --dst-type --reject-with --random".split(
    " ",
  ),
  ..."COMMIT *filter *nat :X KUBE-SERVICES RETURN DROP DNAT MARK MASQUERADE REJECT tcp udp sctp icmp all".split(" "),
  ..."table chain set map element rule add insert delete flush define include type hook priority policy flags".split(
    " ",
  ),
  ..."elements timeout size counter comment typeof interval dynamic constant vmap numgen random inc mod offset".split(
    " ",
  ),
  ..."ip ip6 inet arp meta ct th fib saddr daddr mark state status l4proto nfproto accept drop reject jump goto".split(
    " ",
  ),
  ..."return continue masquerade dnat to redirect fully-random log limit rate over burst update last quota".split(" "),
  ..."null true false [] {} 1e999 -0 0.33333333349 1/2 10-20 10.0.0.0/8 10.0.0.1-10.0.0.9 ::1 fe80::/10".split(" "),
  ..."255.255.255.255/255.0.255.0 999.1.1.1 65535 65536 1h 1d2h3m4s 10/second 3-1 0x 0xffffffff/0x0".split(" "),
  "\n",
  "\r\n",
  "\t",
  " ",
  "\\\n",
  "#",
  "__proto__",
  "constructor",
  "toString",
  "hasOwnProperty",
];

const numbers = [
  "-1",
  "4294967296",
  "18446744073709551616",
  "9007199254740993",
  "9".repeat(400),
  "1".repeat(20_000),
  `0x${"f".repeat(200)}`,
  "00000000000000010",
  "1e308",
  "0.00000000000000000001",
];

const foreign = [
  "\u00e4",
  "\u{1f600}",
  "\ud800",
  "\udc00",
  "\u2028",
  "\ufeff",
  "\u00a0",
  "\u0000",
  "\u0001",
  "\u007f",
  "\u202e",
  "e\u0301",
  "\uff10",
  "\u0130",
];

const nests: readonly (readonly [string, string])[] = [
  ["{", "}"],
  ["{ ", " }"],
  ["[", "]"],
  ["(", ")"],
  ['{"set":[', "]}"],
  ['{"|":[1,', "]}"],
  ["{ 1 : ", " }"],
  ["ip saddr { ", " }"],
  ["table ip t {\n", "}\n"],
  ["chain c {\n", "}\n"],
  ["! ", ""],
  ['"', '"'],
];
const depths = [2, 3, 10, 100, 1000, 10_000];

const WORD = /[\w.:/@-]+|\s+|[^\w\s]/g;

/** One damage of a text in most cases, so that some can be read all the same; up to four. */
export function damage(text: string, pick: Pick): string {
  let damaged = text;
  for (let n = 1 + pick(2) * pick(4); n > 0; n--) damaged = damages[pick(damages.length)]!(damaged, pick);
  return damaged;
}

type Damage = (text: string, pick: Pick) => string;

const oneOf = <T>(list: readonly T[], pick: Pick): T => list[pick(list.length)]!;

function put(text: string, at: number, cut: number, piece: string): string {
  return text.slice(0, at) + piece + text.slice(at + cut);
}

/** Changes the words of a text (blanks and signs are words) from a drawn one on. */
function inWords(change: (words: string[], at: number, pick: Pick) => void): Damage {
  return (text, pick) => {
    const words = text.match(WORD) ?? [];
    if (words.length > 0) change(words, pick(words.length), pick);
    return words.join("");
  };
}

/** Changes the place of the text where a drawn one of the signs stands. */
function atSign(signs: RegExp, change: (text: string, at: number, pick: Pick) => string): Damage {
  return (text, pick) => {
    const places = [...text.matchAll(signs)];
    return places.length === 0 ? text : change(text, oneOf(places, pick).index, pick);
  };
}

const damages: readonly Damage[] = [
  // Truncated anywhere, at either end.
  (text, pick) => text.slice(0, pick(text.length + 1)),
  (text, pick) => text.slice(pick(text.length + 1)),
  // Cut, doubled, swapped.
  (text, pick) => put(text, pick(text.length + 1), pick(200), ""),
  inWords((words, at, pick) => words.splice(at, 1 + pick(6))),
  inWords((words, at, pick) => words.splice(at, 0, ...words.slice(at, at + 1 + pick(12)))),
  inWords((words, at, pick) => {
    const other = pick(words.length);
    [words[at], words[other]] = [words[other]!, words[at]!];
  }),
  (text, pick) => {
    const lines = text.split("\n");
    const [from, to] = [pick(lines.length), pick(lines.length)];
    lines.splice(to, pick(2), ...lines.slice(from, from + 1 + pick(3)));
    return lines.join("\n");
  },
  // Words that mean something, beside a word and in its place.
  inWords((words, at, pick) => words.splice(at, 0, ` ${oneOf(meaning, pick)} `)),
  inWords((words, at, pick) => words.splice(at, 1, oneOf(meaning, pick))),
  (text, pick) => put(text, pick(text.length + 1), 0, oneOf(meaning, pick)),
  // Braces and quotes lost.
  atSign(/[{}[\]"]/g, (text, at) => put(text, at, 1, "")),
  atSign(/[{}[\]",;:=]/g, (text, at, pick) => put(text, at, 1, oneOf(meaning, pick))),
  // Numbers nobody wrote.
  (text, pick) => {
    const found = [...text.matchAll(/\d+/g)];
    if (found.length === 0) return text;
    const one = oneOf(found, pick);
    return put(text, one.index, one[0].length, oneOf(numbers, pick));
  },
  // Characters nobody wrote.
  (text, pick) => put(text, pick(text.length + 1), pick(2), oneOf(foreign, pick).repeat(1 + pick(3))),
  // Depth: closed or not.
  inWords((words, at, pick) => {
    const [open, close] = oneOf(nests, pick);
    const depth = oneOf(depths, pick);
    words[at] = open.repeat(depth) + words[at]! + close.repeat(pick(3) === 0 ? pick(depth) : depth);
  }),
];
