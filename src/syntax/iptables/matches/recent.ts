import { formatAddress } from "../../../packet/address.js";
import { prefixMask } from "../../../packet/prefix.js";
import type { RecentMatch } from "../../../ruleset/types.js";
import type { MatchSyntax, OptionSpec } from "../module.js";
import { bare } from "../quote.js";
import { addressOf, numberOf, UINT32 } from "../values.js";

const actions = ["set", "rcheck", "update", "remove"] as const;
const action: OptionSpec = { values: 0, negate: true };

/** xt_recent (extensions/libxt_recent.c). iptables prints the list's name without quotes, whatever it holds. */
export const recent: MatchSyntax<RecentMatch> = {
  kind: "recent",
  modules: {
    recent: {
      "--set": action,
      "--rcheck": action,
      "--update": action,
      "--remove": action,
      "--seconds": { values: 1 },
      "--reap": { values: 0 },
      "--hitcount": { values: 1 },
      "--rttl": { values: 0 },
      "--name": { values: 1 },
      "--mask": { values: 1 },
      "--rsource": { values: 0 },
      "--rdest": { values: 0 },
    },
  },
  parse: (options) => {
    const use = options.oneOf(actions.map((name) => `--${name}`));
    const seconds = options.get("--seconds");
    const hitcount = options.get("--hitcount");
    const reap = options.get("--reap");
    const mask = options.get("--mask");
    const hits = hitcount && numberOf(options, hitcount, 0, UINT32);
    if (reap && !seconds) options.fail("missing-option", "--reap also needs --seconds", reap);
    if (options.has("--rsource") && options.has("--rdest"))
      options.fail("conflicting-options", "--rsource and --rdest cannot be used together", options.get("--rdest"));
    return {
      kind: "recent",
      action: use.name.slice(2) as RecentMatch["action"],
      name: options.get("--name")?.values[0] ?? "DEFAULT",
      side: options.has("--rdest") ? "destination" : "source",
      mask: mask
        ? addressOf(options, mask, mask.values[0]!)
        : prefixMask(options.family, options.family === "ip" ? 32 : 128),
      ...(seconds && { seconds: numberOf(options, seconds, 1, UINT32) }),
      ...(reap && { reap: true }),
      ...(hits ? { hitcount: hits } : {}),
      ...(options.has("--rttl") && { ttl: true }),
      negate: use.negate,
    };
  },
  print: (match) =>
    ` -m recent${match.negate ? " !" : ""} --${match.action}` +
    (match.seconds === undefined ? "" : ` --seconds ${match.seconds}`) +
    (match.reap === true ? " --reap" : "") +
    (match.hitcount === undefined ? "" : ` --hitcount ${match.hitcount}`) +
    (match.ttl === true ? " --rttl" : "") +
    ` --name ${bare(match.name)} --mask ${formatAddress(match.mask)}` +
    (match.side === "source" ? " --rsource" : " --rdest"),
};
