import type { CopyMarkAction } from "../../../ruleset/types.js";
import type { Options, OptionSpecs, TargetSyntax } from "../module.js";
import { hex, numberOf, UINT32 } from "../values.js";

export const copyOptions: OptionSpecs = {
  "--save-mark": { values: 0 },
  "--restore-mark": { values: 0 },
  "--nfmask": { values: 1 },
  "--ctmask": { values: 1 },
  "--mask": { values: 1 },
  "--left-shift-mark": { values: 1, opaque: true },
  "--right-shift-mark": { values: 1, opaque: true },
};

/** The copying half of xt_CONNMARK (extensions/libxt_CONNMARK.c); set-mark.ts owns the target's name. */
export const copyMark: TargetSyntax<CopyMarkAction> = {
  kind: "copy-mark",
  targets: {},
  parse: parseCopy,
  print: (action) =>
    ` -j CONNMARK --${action.direction}-mark --nfmask ${hex(action.nfmask)} --ctmask ${hex(action.ctmask)}`,
};

export function parseCopy(options: Options): CopyMarkAction {
  const use = options.oneOf(["--save-mark", "--restore-mark"]);
  const mask = options.get("--mask");
  const both = mask && numberOf(options, mask, 0, UINT32);
  const part = (name: string): number => {
    const given = options.get(name);
    if (given !== undefined && mask !== undefined)
      options.fail("conflicting-options", `${name} and --mask cannot be used together`, given);
    return both ?? (given === undefined ? UINT32 : numberOf(options, given, 0, UINT32));
  };
  return {
    kind: "copy-mark",
    direction: use.name === "--save-mark" ? "save" : "restore",
    nfmask: part("--nfmask"),
    ctmask: part("--ctmask"),
  };
}
