import type { LogAction } from "../../../ruleset/types.js";
import { NO_OPTIONS, type Options, type OptionSpecs, type OptionUse, type TargetSyntax } from "../module.js";
import { quote } from "../quote.js";
import { numberOf, UINT32 } from "../values.js";

const levels = ["emerg", "alert", "crit", "error", "warning", "notice", "info", "debug"];
const levelAliases: ReadonlyMap<string, number> = new Map([
  ["panic", 0],
  ["err", 3],
  ["warn", 4],
]);
const DEFAULT_LEVEL = 4;

/** In the order iptables-save prints them. */
const logOptions: OptionSpecs = {
  "--log-prefix": { values: 1 },
  "--log-level": { values: 1 },
  "--log-tcp-sequence": { values: 0 },
  "--log-tcp-options": { values: 0 },
  "--log-ip-options": { values: 0 },
  "--log-uid": { values: 0 },
  "--log-macdecode": { values: 0 },
};
const nflogOptions: OptionSpecs = {
  "--nflog-prefix": { values: 1 },
  "--nflog-group": { values: 1 },
  "--nflog-range": { values: 1 },
  "--nflog-size": { values: 1 },
  "--nflog-threshold": { values: 1 },
};

/** xt_LOG, xt_NFLOG, xt_TRACE (extensions/libxt_LOG.c, libxt_NFLOG.c): defaults are left out, as iptables-save does. */
export const log: TargetSyntax<LogAction> = {
  kind: "log",
  targets: { LOG: logOptions, NFLOG: nflogOptions, TRACE: NO_OPTIONS },
  parse: (options) => {
    const words: string[] = [];
    for (const name of Object.keys(options.module === "LOG" ? logOptions : nflogOptions)) {
      const use = options.get(name);
      if (use !== undefined) words.push(...wordsOf(options, use));
    }
    return { kind: "log", target: options.module as LogAction["target"], options: words };
  },
  print: (action) =>
    ` -j ${action.target}` +
    action.options.map((word, i) => ` ${isPrefix(action.options[i - 1]) ? quote(word) : word}`).join(""),
};

function isPrefix(option: string | undefined): boolean {
  return option === "--log-prefix" || option === "--nflog-prefix";
}

function wordsOf(options: Options, use: OptionUse): string[] {
  const [text] = use.values;
  if (text === undefined) return [use.name];
  if (isPrefix(use.name)) {
    if (text === "") options.fail("bad-prefix", `${use.name} needs at least one character`, use);
    return [use.name, text];
  }
  if (use.name !== "--log-level") {
    const number = numberOf(options, use, 0, use.name === "--nflog-group" ? 0xffff : UINT32);
    return number === 0 && (use.name === "--nflog-group" || use.name === "--nflog-threshold")
      ? []
      : [use.name, String(number)];
  }
  const named = levels.indexOf(text.toLowerCase());
  const level =
    named >= 0 ? named : (levelAliases.get(text.toLowerCase()) ?? (/^[0-7]$/.test(text) ? Number(text) : -1));
  if (level < 0) options.fail("bad-level", `--log-level needs a number from 0 to 7 or ${levels.join(", ")}`, use);
  return level === DEFAULT_LEVEL ? [] : [use.name, String(level)];
}
