import type { InterfaceTest, PhysdevMatch } from "../../../ruleset/types.js";
import type { MatchSyntax, Options } from "../module.js";
import { formatInterface, interfaceOf } from "../values.js";

/** xt_physdev (extensions/libxt_physdev.c). */
export const physdev: MatchSyntax<PhysdevMatch> = {
  kind: "physdev",
  modules: {
    physdev: {
      "--physdev-in": { values: 1, negate: true },
      "--physdev-out": { values: 1, negate: true },
      "--physdev-is-in": { values: 0, negate: true },
      "--physdev-is-out": { values: 0, negate: true },
      "--physdev-is-bridged": { values: 0, negate: true },
    },
  },
  parse: (options) => {
    if (options.all().length === 0) options.fail("missing-option", "physdev needs at least one option");
    const into = interfaceTest(options, "--physdev-in");
    const out = interfaceTest(options, "--physdev-out");
    const isIn = options.get("--physdev-is-in");
    const isOut = options.get("--physdev-is-out");
    const isBridged = options.get("--physdev-is-bridged");
    return {
      kind: "physdev",
      ...(into && { in: into }),
      ...(out && { out }),
      ...(isIn && { isIn: { negate: isIn.negate } }),
      ...(isOut && { isOut: { negate: isOut.negate } }),
      ...(isBridged && { isBridged: { negate: isBridged.negate } }),
    };
  },
  print: (match) =>
    " -m physdev" +
    printFlag("--physdev-is-in", match.isIn) +
    printInterface("--physdev-in", match.in) +
    printFlag("--physdev-is-out", match.isOut) +
    printInterface("--physdev-out", match.out) +
    printFlag("--physdev-is-bridged", match.isBridged),
};

function interfaceTest(options: Options, name: string): InterfaceTest | undefined {
  const use = options.get(name);
  return use && { ...interfaceOf(options, use), negate: use.negate };
}

function printFlag(option: string, test: { readonly negate: boolean } | undefined): string {
  return test === undefined ? "" : `${test.negate ? " !" : ""} ${option}`;
}

function printInterface(option: string, test: InterfaceTest | undefined): string {
  return test === undefined ? "" : `${printFlag(option, test)} ${formatInterface(test)}`;
}
