/** NAT as steps. */
import { addressWords } from "../../packet/address.js";
import type { ResolvedRule } from "../../ruleset/resolve.js";
import type {
  DataElement,
  DnatAction,
  KeyPart,
  MapExpression,
  NatRange,
  RedirectAction,
  SnatAction,
} from "../../ruleset/types.js";
import { isForFamily } from "../nat-family.js";
import { spanOf } from "../value.js";
import { counted } from "./read-keys.js";
import { type Choice, elementsOf, type LookupPlace, type LookupReader } from "./read-lookups.js";
import type { Step } from "./rows.js";

/** NAT to what is fixed of it and what maps say; undefined where a map is written by rules. */
export function readTranslation(
  { kind, to, mapped }: DnatAction | SnatAction | RedirectAction,
  rule: ResolvedRule,
  at: LookupPlace,
  reader: LookupReader,
): Step[] | undefined {
  const place = { rule: at.rule, statement: at.statement };
  const refuse: Step = { kind: "end", end: { kind: "refuse", ...place } };
  const end = (range: NatRange): Step[] =>
    isForFamily(range, reader.family)
      ? [{ kind: "end", end: { kind, to: kind === "redirect" ? range : settled(range) } }]
      : [];
  if (mapped === undefined) return end(to);
  const through = (
    map: MapExpression,
    form: string,
    draws: number,
    next: (data: readonly KeyPart[]) => Step[],
  ): Step[] | undefined => {
    const elements = elementsOf(map.map, rule) as readonly DataElement[] | undefined;
    if (elements === undefined) return undefined;
    const lookup = { key: map.key, alike: false, negate: false, changes: false, refusal: [refuse] };
    const choices = (): Choice[] => elements.map(({ key, data }) => ({ key, steps: next(data) }));
    return [...counted(map.key, place), reader.step(form, { ...at, draws }, rule, lookup, choices)];
  };
  const toPorts = (part: KeyPart): NatRange["ports"] => {
    const span = spanOf(part);
    return typeof span?.first === "number" && typeof span.last === "number" ? [span.first, span.last] : undefined;
  };
  if (mapped.addresses !== undefined && mapped.ports !== undefined) return undefined;
  if (mapped.addresses !== undefined)
    return through(mapped.addresses, "addresses", at.draws, (data) => {
      const span = spanOf(data[0]!);
      const ports = data[1] === undefined ? to.ports : toPorts(data[1]);
      if (span === undefined || (data[1] !== undefined && ports === undefined)) return [refuse];
      return end({ ...to, addresses: [span.first, span.last], ...(ports === undefined ? {} : { ports }) });
    });
  return through(mapped.ports!, "ports", at.draws, (data) => {
    const ports = toPorts(data[0]!);
    return ports === undefined ? [refuse] : end({ ...to, ports });
  });
}

/** Where a destination is one address and at most one port, the flags for the choice among many say nothing. */
function settled(to: NatRange): NatRange {
  const { addresses, ports } = to;
  if (addresses === undefined || !isOne(addresses) || (ports !== undefined && ports[0] !== ports[1])) return to;
  return { addresses, ...(ports === undefined ? {} : { ports }) };
}

function isOne([first, last]: NonNullable<NatRange["addresses"]>): boolean {
  return String(addressWords(first)) === String(addressWords(last));
}
