import type { SetMarkAction } from "../../../ruleset/types.js";
import type { OptionSpec, Options, TargetSyntax } from "../module.js";
import { hex, markOf, numberOf, UINT32 } from "../values.js";
import { copyOptions, parseCopy } from "./copy-mark.js";

const value: OptionSpec = { values: 1 };
const forms = {
  "--set-xmark": value,
  "--set-mark": value,
  "--and-mark": value,
  "--or-mark": value,
  "--xor-mark": value,
};

/**
 * xt_MARK, xt_CONNMARK (extensions/libxt_MARK.c, libxt_CONNMARK.c): every form is `mark = (mark & ~clear) ^ xor`, and is printed as
 * `--set-xmark xor/clear`. CONNMARK may also copy: see copy-mark.ts.
 */
export const setMark: TargetSyntax<SetMarkAction> = {
  kind: "set-mark",
  targets: { MARK: forms, CONNMARK: { ...forms, ...copyOptions } },
  parse: (options) => {
    if (options.module === "CONNMARK" && !Object.keys(forms).some((name) => options.has(name)))
      return parseCopy(options);
    return { kind: "set-mark", field: options.module === "MARK" ? "mark" : "ctmark", ...parseForm(options) };
  },
  print: (action) =>
    ` -j ${action.field === "mark" ? "MARK" : "CONNMARK"} --set-xmark ${hex(action.xor)}/${hex(action.clear)}`,
};

function parseForm(options: Options): { clear: number; xor: number } {
  const use = options.oneOf(Object.keys(forms));
  const other = options.all().find((given) => given !== use);
  if (other !== undefined)
    options.fail("conflicting-options", `${use.name} and ${other.name} cannot be used together`, other);
  if (use.name === "--set-xmark" || use.name === "--set-mark") {
    const { value: bits, mask } = markOf(options, use);
    return { clear: use.name === "--set-mark" ? (bits | mask) >>> 0 : mask, xor: bits };
  }
  const bits = numberOf(options, use, 0, UINT32);
  if (use.name === "--and-mark") return { clear: ~bits >>> 0, xor: 0 };
  return { clear: use.name === "--or-mark" ? bits : 0, xor: bits };
}
