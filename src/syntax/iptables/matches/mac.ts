import type { MacMatch } from "../../../ruleset/types.js";
import type { MatchSyntax } from "../module.js";

/** xt_mac (extensions/libxt_mac.c), which prints small letters. */
export const mac: MatchSyntax<MacMatch> = {
  kind: "mac",
  modules: { mac: { "--mac-source": { values: 1, negate: true } } },
  parse: (options) => {
    const use = options.require("--mac-source");
    const parts = use.values[0]!.split(":");
    if (parts.length !== 6 || !parts.every((part) => /^[0-9a-f]{1,2}$/i.test(part)))
      options.fail("bad-mac", `--mac-source needs six bytes such as 00:11:22:AA:BB:CC, not "${use.values[0]}"`, use);
    const address = parts.map((part) => part.padStart(2, "0").toUpperCase()).join(":");
    return { kind: "mac", address, negate: use.negate };
  },
  print: (match) => ` -m mac${match.negate ? " !" : ""} --mac-source ${match.address.toLowerCase()}`,
};
