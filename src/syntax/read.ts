/** Rule texts of every format into a rule set: the one way in. */
import type { Family } from "../packet/address.js";
import { error, type Problem } from "../ruleset/problem.js";
import type { RuleSet } from "../ruleset/types.js";
import { decodeInput, spanAt } from "./input.js";
import { isTable, tableNames } from "./iptables/builtin.js";
import { readIptables } from "./iptables/reader.js";
import { readNftJson } from "./nft/json/reader.js";
import { readNft } from "./nft/reader.js";

/** `iptables-save` and `iptables-listing` are of IPv4, their `ip6tables-` names of IPv6. */
export const formats = [
  "iptables-save",
  "ip6tables-save",
  "iptables-listing",
  "ip6tables-listing",
  "nft",
  "nft-json",
] as const;
export type RuleFormat = (typeof formats)[number];

export interface ReadOptions {
  /** Forces the format; otherwise it is recognised. */
  readonly from?: RuleFormat;
  /** The table of a listing, which does not say it; nat by default. */
  readonly table?: string;
  /** Otherwise recognised: by the first comment line of a save file, by its addresses, else IPv4. */
  readonly family?: Family;
}

export interface ReadResult {
  /** Absent where a problem is an error. */
  readonly ruleset?: RuleSet;
  readonly problems: readonly Problem[];
  /** Undefined where it could not be recognised. */
  readonly format: RuleFormat | undefined;
  /** The text as decoded, for showing problems; absent where the input was no text. */
  readonly text?: string;
}

const DEFAULT_TABLE = "nat";

/** Reads a rule text, gzipped or not. Nothing is thrown for bad input: see `problems`. */
export function readRules(input: Uint8Array | string, options: ReadOptions = {}): ReadResult {
  const decoded = decodeInput(input);
  if ("problem" in decoded) return { problems: [decoded.problem], format: options.from };
  const { text } = decoded;
  const recognised = options.from ?? recognise(text, options.family);
  if (typeof recognised !== "string") return { problems: [recognised], format: undefined, text };
  if (recognised === "nft" || recognised === "nft-json") {
    const { ruleset, problems } = recognised === "nft" ? readNft(text) : readNftJson(text);
    if (problems.some((problem) => problem.severity === "error")) return { problems, format: recognised, text };
    if (ruleset.tables.length === 0 && ruleset.opaqueTables === undefined)
      return { problems: [...problems, noRules(text)], format: recognised, text };
    return { ruleset, problems, format: recognised, text };
  }
  const table = options.table ?? DEFAULT_TABLE;
  if (!isTable(table)) {
    const message = `unknown table "${table}": iptables has ${tableNames.join(", ")}`;
    return { problems: [error("unknown-table", message)], format: recognised, text };
  }
  const { ruleset, problems } = readIptables(text, {
    form: recognised.endsWith("save") ? "save" : "listing",
    family: options.family ?? (recognised.startsWith("ip6") ? "ip6" : "ip"),
    table,
    ...(decoded.codes && { codes: decoded.codes }),
  });
  if (problems.some((problem) => problem.severity === "error")) return { problems, format: recognised, text };
  if (ruleset.tables.every((one) => one.chains.length === 0) && recognised.endsWith("listing"))
    return { problems: [...problems, noRules(text)], format: recognised, text };
  return { ruleset, problems, format: recognised, text };
}

/** The format, by the first line that is neither blank nor a comment; a problem where it is none. */
function recognise(text: string, family: Family | undefined): RuleFormat | Problem {
  const first = /^[ \t]*([^\s#].*)$/m.exec(text);
  if (first === null) return noRules(text);
  const line = first[1]!;
  const span = spanAt(text, first.index + first[0].indexOf(line));
  const version = (family ?? familyOf(text)) === "ip6" ? "ip6tables" : "iptables";
  if (/^\*|^:\S/.test(line)) return `${version}-save`;
  if (/^(\[\d+:\d+\] )?-[APNI] |^--(append|insert) /.test(line)) return `${version}-listing`;
  if (line.startsWith("{")) return "nft-json";
  if (
    /^(table|add|flush|create|delete|insert|define|include|chain)\s/.test(line) &&
    /\b(table|ruleset|chain|define|include|rule|set|map|element)\b/.test(line)
  )
    return "nft";
  const hint = /^Chain \S+ \(/.test(line)
    ? "this is the output of iptables -L, which leaves things out: use iptables-save or iptables -S"
    : /^create \S+ (hash|bitmap|list):/.test(line)
      ? "this is the output of ipset save: give it as ipsets, with the rules beside it"
      : 'no known format: expected an iptables-save text (it begins with "*table"), an iptables -S listing ("-A CHAIN ...") or nft list ruleset ("table ip NAME {")';
  return error("unknown-format", hint, span);
}

function noRules(text: string): Problem {
  const message = text.trim() === "" ? "the input is empty" : "the input holds no rules, only comments";
  return error(
    "empty-input",
    `${message}: an iptables-save text, an iptables -S listing or nft list ruleset is expected`,
    {
      line: 1,
      column: 1,
    },
  );
}

/** By the comment iptables-save writes first, else by the first address or ICMP name that tells. */
function familyOf(text: string): Family {
  const generated = /^# Generated by (x|ip6?)tables(-nft|-legacy)?-save\b/m.exec(text.slice(0, 4096));
  if (generated !== null && generated[1] !== "x") return generated[1] === "ip6" ? "ip6" : "ip";
  const telling =
    / (?:-s|-d|--to-destination|--to-source|--mask) \[?[0-9a-fA-F]*:[0-9a-fA-F.]*:| -m icmp6 | --icmpv6-type | icmp6-| (?:-s|-d|--to-destination|--to-source|--mask) \d+\.\d+\./.exec(
      text,
    );
  return telling !== null && (telling[0].includes(":") || telling[0].includes("icmp")) ? "ip6" : "ip";
}
