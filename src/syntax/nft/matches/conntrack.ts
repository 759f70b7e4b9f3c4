import { familyOf } from "../../../packet/address.js";
import { protocolName } from "../../../packet/protocol.js";
import type { AddressTest, ConntrackMatch, FieldName, PortTest } from "../../../ruleset/types.js";
import { ctStates, ctStatuses } from "../names.js";
import { NoSpelling } from "../operand.js";
import { type MatchSyntax, notEqual, type Relation } from "../relation.js";
import { isMasked, isNumbers, printMasked } from "../values.js";
import { bound, printMaskedBits } from "./transport.js";

type AddressField = "originalSource" | "originalDestination" | "replySource" | "replyDestination";
type PortField = "originalSourcePort" | "originalDestinationPort" | "replySourcePort" | "replyDestinationPort";

const addresses: readonly (readonly [FieldName, AddressField, string])[] = [
  ["ct-original-saddr", "originalSource", "original FAMILY saddr"],
  ["ct-original-daddr", "originalDestination", "original FAMILY daddr"],
  ["ct-reply-saddr", "replySource", "reply FAMILY saddr"],
  ["ct-reply-daddr", "replyDestination", "reply FAMILY daddr"],
];
const ports: readonly (readonly [FieldName, PortField, string])[] = [
  ["ct-original-sport", "originalSourcePort", "original proto-src"],
  ["ct-original-dport", "originalDestinationPort", "original proto-dst"],
  ["ct-reply-sport", "replySourcePort", "reply proto-src"],
  ["ct-reply-dport", "replyDestinationPort", "reply proto-dst"],
];

/** `ct state new`, `ct status dnat`, `ct direction reply`, `ct protocol tcp`, `ct original ip daddr 10.0.0.1`: one test each. */
export const conntrack: MatchSyntax<ConntrackMatch> = {
  kind: "conntrack",
  fields: [
    "ct-state",
    "ct-status",
    "ct-direction",
    "ct-protocol",
    ...addresses.map(([f]) => f),
    ...ports.map(([f]) => f),
  ],
  read: (relation) => {
    const test = testOf(relation);
    return test && { kind: "conntrack", module: "conntrack", ...test };
  },
  print: (match) => {
    const tests: string[] = [];
    if (match.state) tests.push(printMaskedBits("ct state", match.state.bits, 0, !match.state.negate, ctStates));
    if (match.status?.bits === 0) tests.push(`ct status ${match.status.negate ? "!=" : "=="} 0x0`);
    else if (match.status)
      tests.push(printMaskedBits("ct status", match.status.bits, 0, !match.status.negate, ctStatuses));
    if (match.protocol)
      tests.push(`ct protocol${notEqual(match.protocol.negate)} ${protocolName(match.protocol.protocol)}`);
    for (const [, name, words] of addresses) {
      const test = match[name];
      if (test)
        tests.push(`ct ${words.replace("FAMILY", familyOf(test.value))}${notEqual(test.negate)} ${printMasked(test)}`);
    }
    for (const [, name, words] of ports) {
      const test = match[name];
      if (test) tests.push(`ct ${words} ${printPort(test)}`);
    }
    if (match.direction) tests.push(`ct direction ${match.direction}`);
    if (tests.length === 0) throw new NoSpelling("a conntrack match without a test");
    return tests.join(" ");
  },
};

function testOf({ field, mask, right, negate, order }: Relation): Partial<ConntrackMatch> | undefined {
  const name = field!.field;
  if (name === "ct-state" || name === "ct-status") {
    if (mask === undefined || !isNumbers(right) || right[0] !== 0) return undefined;
    return { [name === "ct-state" ? "state" : "status"]: { bits: mask as number, negate: !negate } };
  }
  if (mask !== undefined) return undefined;
  const address = addresses.find(([one]) => one === name);
  if (address !== undefined) {
    const test: AddressTest | undefined = isMasked(right) ? { ...right, negate } : undefined;
    return test && { [address[1]]: test };
  }
  if (!isNumbers(right)) return undefined;
  const port = ports.find(([one]) => one === name);
  if (port !== undefined) {
    const test: PortTest = { ranges: [right], negate, ...(order === undefined ? {} : { spelled: order }) };
    return { [port[1]]: test };
  }
  if (right[0] !== right[1]) return undefined;
  if (name === "ct-protocol") return { protocol: { protocol: right[0], negate } };
  if (name === "ct-direction" && !negate && right[0] <= 1) return { direction: right[0] === 0 ? "original" : "reply" };
  return undefined;
}

function printPort({ ranges, negate, spelled }: PortTest): string {
  const [range] = ranges;
  if (range === undefined || ranges.length > 1) throw new NoSpelling("a test of several ranges of ports");
  if (spelled !== undefined) return `${spelled} ${bound(range, spelled)}`;
  return `${negate ? "!= " : ""}${range[0] === range[1] ? range[0] : `${range[0]}-${range[1]}`}`;
}
