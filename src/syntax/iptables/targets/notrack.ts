import type { NotrackAction } from "../../../ruleset/types.js";
import { NO_OPTIONS, type OptionSpec, type TargetSyntax } from "../module.js";

const other: OptionSpec = { values: 1, opaque: true };

/** xt_CT with --notrack alone, and its older spelling NOTRACK (extensions/libxt_CT.c). Every other use of CT is kept as opaque. */
export const notrack: TargetSyntax<NotrackAction> = {
  kind: "notrack",
  targets: {
    NOTRACK: NO_OPTIONS,
    CT: {
      "--notrack": { values: 0 },
      "--helper": other,
      "--timeout": other,
      "--ctevents": other,
      "--expevents": other,
      "--zone": other,
      "--zone-orig": other,
      "--zone-reply": other,
    },
  },
  parse: (options) =>
    options.module === "CT" && !options.has("--notrack")
      ? undefined
      : { kind: "notrack", target: options.module as NotrackAction["target"] },
  print: (action) => (action.target === "CT" ? " -j CT --notrack" : " -j NOTRACK"),
};
