import type { AddressTypeMatch, AddressTypeName, AddressTypeTest } from "../../../ruleset/types.js";
import { addressTypes } from "../names.js";
import { NoSpelling } from "../operand.js";
import { type MatchSyntax, notEqual } from "../relation.js";
import { isNumbers } from "../values.js";

/** `fib daddr type local`; `fib saddr . iif type local` asks about one interface. Of other types xt_addrtype has a mind of its own in IPv6. */
export const addressType: MatchSyntax<AddressTypeMatch> = {
  kind: "address-type",
  fields: ["saddr-type", "daddr-type"],
  read: ({ field, mask, right, negate }) => {
    if (!isNumbers(right) || right[0] !== right[1] || mask !== undefined) return undefined;
    const name = addressTypes.find(([, number]) => number === right[0])?.[0];
    if (name !== "local") return undefined;
    const test: AddressTypeTest = { types: [name.toUpperCase() as AddressTypeName], negate };
    const limit =
      field!.spelled === undefined ? {} : { limit: field!.spelled === "iif" ? ("in" as const) : ("out" as const) };
    return { kind: "address-type", [field!.field === "saddr-type" ? "source" : "destination"]: test, ...limit };
  },
  print: ({ source, destination, limit }) => {
    const asked = limit === undefined ? "" : limit === "in" ? " . iif" : " . oif";
    const tests: string[] = [];
    if (source) tests.push(`fib saddr${asked} type${printTypes(source)}`);
    if (destination) tests.push(`fib daddr${asked} type${printTypes(destination)}`);
    return tests.join(" ");
  },
};

function printTypes({ types, negate }: AddressTypeTest): string {
  const names = types.map((type) => type.toLowerCase());
  const strange = names.find((name) => !addressTypes.some(([known]) => known === name));
  if (strange !== undefined) throw new NoSpelling(`the type of address ${strange}`);
  return `${notEqual(negate)} ${names.length === 1 ? names[0] : `{ ${names.join(", ")} }`}`;
}
