import type { LogAction } from "../../../ruleset/types.js";
import type { Context, StatementSyntax } from "../context.js";
import { readNumber } from "../expression.js";
import type { Lexer } from "../lexer.js";
import { NoSpelling } from "../operand.js";

/** By number; `audit` is nft's own. */
const levels = ["emerg", "alert", "crit", "err", "warn", "notice", "info", "debug", "audit"];
const WARNING = 4;

/** Flags in the order nft prints them: its words, and the option of iptables that means the same. */
const flags: readonly (readonly [words: string, option: string])[] = [
  ["tcp sequence", "--log-tcp-sequence"],
  ["tcp options", "--log-tcp-options"],
  ["ip options", "--log-ip-options"],
  ["skuid", "--log-uid"],
  ["ether", "--log-macdecode"],
];
const numbers: readonly (readonly [word: string, option: string, max: number])[] = [
  ["group", "--nflog-group", 0xffff],
  ["snaplen", "--nflog-size", 0xffffffff],
  ["queue-threshold", "--nflog-threshold", 0xffff],
];

/** `log prefix "x" level info flags skuid`, `log group 5`; kept as the options of LOG and NFLOG. */
export const log: StatementSyntax<LogAction> = {
  kinds: ["log"],
  words: ["log"],
  read: (context) => {
    const { lexer } = context;
    lexer.next();
    let prefix: string | undefined;
    let level: number | undefined;
    const given = new Map<string, number>();
    const set = new Set<string>();
    for (;;) {
      const number = numbers.find(([word]) => lexer.is(word));
      if (number !== undefined) {
        lexer.next();
        given.set(number[1], readNumber(lexer, `a number after ${number[0]}`, number[2]));
      } else if (lexer.accept("prefix")) prefix = lexer.take("a prefix in quotes");
      else if (lexer.accept("level")) level = readLevel(context);
      else if (lexer.accept("flags")) for (const option of readFlags(context)) set.add(option);
      else break;
    }
    const group = given.size > 0;
    const options: string[] = [];
    if (prefix !== undefined) options.push(group ? "--nflog-prefix" : "--log-prefix", prefix);
    for (const [, option] of numbers) if (given.has(option)) options.push(option, String(given.get(option)));
    if (level !== undefined && level !== WARNING && !group) options.push("--log-level", String(level));
    if (!group) options.push(...flags.filter(([, option]) => set.has(option)).map(([, option]) => option));
    return { kind: "log", target: group ? "NFLOG" : "LOG", options };
  },
  print: ({ target, options }) => {
    if (target === "TRACE") return "meta nftrace set 1";
    let text = "log";
    const set: string[] = [];
    for (let i = 0; i < options.length; i++) {
      const option = options[i]!;
      const number = numbers.find(([, name]) => name === option);
      if (option === "--log-prefix" || option === "--nflog-prefix") text += ` prefix "${options[++i]}"`;
      else if (option === "--log-level") text += ` level ${levels[Number(options[++i])]}`;
      else if (number !== undefined) text += ` ${number[0]} ${options[++i]}`;
      else if (flags.some(([, name]) => name === option)) set.push(option);
      else throw new NoSpelling(`the option ${option}`);
    }
    return text + printFlags(set);
  },
};

function readLevel({ lexer }: Context): number {
  const { start } = lexer;
  const word = lexer.take("a level");
  const level = word === "warning" ? WARNING : levels.indexOf(word);
  if (level < 0) lexer.fail("bad-level", `unknown level "${word}": use ${levels.join(", ")}`, start);
  return level;
}

function readFlags(context: Context): string[] {
  const lexer: Lexer = context.lexer;
  if (lexer.accept("all")) return flags.map(([, option]) => option);
  const { start } = lexer;
  const group = lexer.take("all, tcp, ip, skuid or ether after flags");
  if (group === "skuid" || group === "ether") return [flags.find(([words]) => words === group)![1]];
  const chosen: string[] = [];
  do {
    const word = lexer.take(`what of ${group} to log`);
    const found = flags.find(([words]) => words === `${group} ${word}`);
    if (found === undefined) lexer.fail("bad-flags", `unknown flags of log: "${group} ${word}"`, start);
    chosen.push(found[1]);
  } while (lexer.accept(","));
  return chosen;
}

function printFlags(set: readonly string[]): string {
  if (set.length === flags.length) return " flags all";
  const words = flags.filter(([, option]) => set.includes(option)).map(([name]) => name);
  const tcp = words.filter((name) => name.startsWith("tcp ")).map((name) => name.slice(4));
  const others = words.filter((name) => !name.startsWith("tcp "));
  return (tcp.length > 0 ? ` flags tcp ${tcp.join(",")}` : "") + others.map((name) => ` flags ${name}`).join("");
}
