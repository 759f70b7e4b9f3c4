import type { AddressTypeMatch, AddressTypeName, AddressTypeTest } from "../../../ruleset/types.js";
import type { MatchSyntax, Options } from "../module.js";

/** In the order of the bits of xt_addrtype, which is the order of printing. */
const names: readonly AddressTypeName[] = [
  "UNSPEC",
  "UNICAST",
  "LOCAL",
  "BROADCAST",
  "ANYCAST",
  "MULTICAST",
  "BLACKHOLE",
  "UNREACHABLE",
  "PROHIBIT",
  "THROW",
  "NAT",
  "XRESOLVE",
];

/** xt_addrtype (extensions/libxt_addrtype.c). */
export const addressType: MatchSyntax<AddressTypeMatch> = {
  kind: "address-type",
  modules: {
    addrtype: {
      "--src-type": { values: 1, negate: true },
      "--dst-type": { values: 1, negate: true },
      "--limit-iface-in": { values: 0 },
      "--limit-iface-out": { values: 0 },
    },
  },
  parse: (options) => {
    const source = typeTest(options, "--src-type");
    const destination = typeTest(options, "--dst-type");
    if (!source && !destination) options.fail("missing-option", "addrtype needs --src-type or --dst-type");
    const out = options.get("--limit-iface-out");
    const limit = options.has("--limit-iface-in") ? "in" : out ? "out" : undefined;
    if (limit === "in" && out)
      options.fail("conflicting-options", "--limit-iface-in and --limit-iface-out cannot be used together", out);
    return {
      kind: "address-type",
      ...(source && { source }),
      ...(destination && { destination }),
      ...(limit && { limit }),
    };
  },
  print: (match) =>
    ` -m addrtype${printTest("--src-type", match.source)}${printTest("--dst-type", match.destination)}` +
    (match.limit === undefined ? "" : ` --limit-iface-${match.limit}`),
};

function typeTest(options: Options, name: string): AddressTypeTest | undefined {
  const use = options.get(name);
  if (use === undefined) return undefined;
  const given = use.values[0]!.toUpperCase().split(",");
  const unknown = given.find((type) => !(names as readonly string[]).includes(type));
  if (unknown !== undefined)
    options.fail("bad-address-type", `unknown address type "${unknown}": use ${names.join(", ")}`, use);
  return { types: names.filter((type) => given.includes(type)), negate: use.negate };
}

function printTest(option: string, test: AddressTypeTest | undefined): string {
  return test === undefined ? "" : `${test.negate ? " !" : ""} ${option} ${test.types.join(",")}`;
}
