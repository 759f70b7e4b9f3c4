import type { DnatAction } from "../../../ruleset/types.js";
import type { TargetSyntax } from "../module.js";
import { parseFlags, parseRange, printFlags, printRange } from "./nat-range.js";

/** xt_DNAT (extensions/libxt_NAT.c). A shifted port map (`:80-90/8080`) is kept as an opaque statement. */
export const dnat: TargetSyntax<DnatAction> = {
  kind: "dnat",
  targets: {
    DNAT: { "--to-destination": { values: 1 }, "--random": { values: 0 }, "--persistent": { values: 0 } },
  },
  parse: (options) => {
    const use = options.require("--to-destination");
    if (use.values[0]!.includes("/")) return undefined;
    return { kind: "dnat", to: { ...parseRange(options, use), ...parseFlags(options) } };
  },
  print: (action) => ` -j DNAT --to-destination ${printRange(action.to)}${printFlags(action.to)}`,
};
