import type { SnatAction } from "../../../ruleset/types.js";
import type { TargetSyntax } from "../module.js";
import { parseFlags, parseRange, printFlags, printRange } from "./nat-range.js";

/** xt_SNAT (extensions/libxt_NAT.c). */
export const snat: TargetSyntax<SnatAction> = {
  kind: "snat",
  targets: {
    SNAT: {
      "--to-source": { values: 1 },
      "--random": { values: 0 },
      "--random-fully": { values: 0 },
      "--persistent": { values: 0 },
    },
  },
  parse: (options) => ({
    kind: "snat",
    to: { ...parseRange(options, options.require("--to-source")), ...parseFlags(options) },
  }),
  print: (action) => ` -j SNAT --to-source ${printRange(action.to)}${printFlags(action.to)}`,
};
