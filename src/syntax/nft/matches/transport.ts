import type { FlagTest, PortTest, TransportMatch } from "../../../ruleset/types.js";
import { printField } from "../field.js";
import { tcpFlags } from "../names.js";
import { NoSpelling } from "../operand.js";
import { type MatchSyntax, notEqual, type Relation } from "../relation.js";
import { isNumbers, printBits } from "../values.js";

const ALL_FLAGS = 0xff;

/** `tcp dport 80`, `th sport != 1-1023`, `tcp flags syn / fin,syn,rst,ack`: one test each. */
export const transport: MatchSyntax<TransportMatch> = {
  kind: "transport",
  fields: ["sport", "dport", "tcp-flags"],
  read: (relation) => {
    const { field, mask, right, negate, order } = relation;
    if (!isNumbers(right)) return undefined;
    const protocol = field!.protocol ?? null;
    if (field!.field === "tcp-flags") {
      const flags = flagTest(relation);
      return flags && { kind: "transport", protocol, flags };
    }
    if (mask !== undefined) return undefined;
    const test: PortTest = { ranges: [right], negate, ...(order === undefined ? {} : { spelled: order }) };
    return { kind: "transport", protocol, [field!.field]: test };
  },
  print: ({ protocol, sport, dport, flags }, family) => {
    const tests: string[] = [];
    for (const [field, test] of [["sport", sport] as const, ["dport", dport] as const]) {
      if (test === undefined) continue;
      const words = printField({ kind: "field", field, ...(protocol === null ? {} : { protocol }) }, family);
      if (words === undefined) throw new NoSpelling(`ports of protocol ${protocol}`);
      tests.push(`${words} ${printPorts(test)}`);
    }
    if (flags !== undefined) tests.push(printFlags(flags));
    if (tests.length === 0) throw new NoSpelling("a transport match without a test");
    return tests.join(" ");
  },
};

function flagTest({ mask, right, negate }: Relation): FlagTest | undefined {
  const [value, last] = right as readonly [number, number];
  if (value !== last || mask === ALL_FLAGS) return undefined;
  return { mask: (mask as number | undefined) ?? ALL_FLAGS, value, negate };
}

/** The right side of a comparison of ports, with its operator. */
function printPorts({ ranges, negate, spelled }: PortTest): string {
  const [first] = ranges;
  if (first === undefined || (ranges.length > 1 && spelled !== undefined)) throw new NoSpelling("a test of no port");
  if (ranges.length > 1) return `${negate ? "!= " : ""}{ ${ranges.map(printRange).join(", ")} }`;
  if (spelled !== undefined) return `${spelled} ${bound(first, spelled)}`;
  return `${negate ? "!= " : ""}${printRange(first)}`;
}

const printRange = ([first, last]: readonly [number, number]): string =>
  first === last ? String(first) : `${first}-${last}`;

/** The number that was written for a range by an order operator. */
export function bound([first, last]: readonly [number, number], order: string): number {
  if (order === ">") return first - 1;
  if (order === "<") return last + 1;
  return order === ">=" ? first : last;
}

function printFlags({ mask, value, negate }: FlagTest): string {
  if (mask === ALL_FLAGS) return `tcp flags ${negate ? "!=" : "=="} ${exactBits(value)}`;
  return printMaskedBits("tcp flags", mask, value, negate);
}

/** nft 1.0.6 has names for one exact flag, and a number for several. */
function exactBits(value: number): string {
  const text = printBits(value, tcpFlags, " | ");
  return text.includes(" | ") ? `0x${value.toString(16)}` : text;
}

/** Flags under a mask, in the forms nft gives them (relational_binop_postprocess). */
export function printMaskedBits(left: string, mask: number, value: number, negate: boolean, names = tcpFlags): string {
  const flags = (bits: number): string => printBits(bits, names, ",");
  if (value === 0) return negate ? `${left} ${flags(mask)}` : `${left} ! ${flags(mask)}`;
  if (value === mask && !flags(mask).includes(","))
    return `${left} & ${flags(mask)} ${negate ? "!=" : "=="} ${flags(value)}`;
  return `${left}${notEqual(negate)} ${flags(value)} / ${flags(mask)}`;
}
