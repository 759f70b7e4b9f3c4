import type { MasqueradeAction } from "../../../ruleset/types.js";
import type { TargetSyntax } from "../module.js";
import { formatPortRange } from "../values.js";
import { parseFlags, parsePorts, printFlags } from "./nat-range.js";

/** xt_MASQUERADE (extensions/libxt_NAT.c). */
export const masquerade: TargetSyntax<MasqueradeAction> = {
  kind: "masquerade",
  targets: {
    MASQUERADE: { "--to-ports": { values: 1 }, "--random": { values: 0 }, "--random-fully": { values: 0 } },
  },
  parse: (options) => {
    const use = options.get("--to-ports");
    const ports = use && { ports: parsePorts(options, use, use.values[0]!) };
    return { kind: "masquerade", to: { ...ports, ...parseFlags(options) } };
  },
  print: ({ to }) =>
    ` -j MASQUERADE${to.ports === undefined ? "" : ` --to-ports ${formatPortRange(to.ports, "-")}`}${printFlags(to)}`,
};
