import type { RedirectAction } from "../../../ruleset/types.js";
import type { TargetSyntax } from "../module.js";
import { formatPortRange } from "../values.js";
import { parseFlags, parsePorts, printFlags } from "./nat-range.js";

/** xt_REDIRECT (extensions/libxt_NAT.c). */
export const redirect: TargetSyntax<RedirectAction> = {
  kind: "redirect",
  targets: {
    REDIRECT: {
      "--to-ports": { values: 1 },
      "--to-port": { values: 1, as: "--to-ports" },
      "--random": { values: 0 },
    },
  },
  parse: (options) => {
    const use = options.get("--to-ports");
    const ports = use && { ports: parsePorts(options, use, use.values[0]!) };
    return { kind: "redirect", to: { ...ports, ...parseFlags(options) } };
  },
  print: ({ to }) =>
    ` -j REDIRECT${to.ports === undefined ? "" : ` --to-ports ${formatPortRange(to.ports, "-")}`}${printFlags(to)}`,
};
