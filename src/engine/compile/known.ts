/**
 * What a match answers when only part of a packet is known: its destination, protocol and destination port, its mark, that its
 * connection is new, and where it goes. The source is not known. Three answers: true, false, undefined (it depends).
 * A match whose answer must not be guessed at all (state, draws, refusals) is asked nothing: see `isPure`.
 */
import { CtState, CtStatus } from "../../packet/connection.js";
import type { Node } from "../../packet/node.js";
import { insideMask } from "../../packet/prefix.js";
import { hasPorts } from "../../packet/protocol.js";
import type { AddressTypeTest, Match, PortTest } from "../../ruleset/types.js";
import { interfaceHolds } from "../evaluate.js";

/** What is known of a packet on its way. IPv4. */
export interface Known {
  readonly protocol: number;
  dst: number;
  dport: number;
  mark: number;
  /** Bits of CtStatus. */
  status: number;
  /** Conntrack has seen it. */
  tracked: boolean;
  /** Undefined: not known. */
  iif: string | undefined;
  oif: string;
}

type Answer = boolean | undefined;

const negated = (answer: Answer, negate: boolean): Answer => (answer === undefined ? undefined : answer !== negate);

/** All must hold: false as soon as one is false, whatever is not known. */
function every(answers: readonly Answer[]): Answer {
  if (answers.includes(false)) return false;
  return answers.includes(undefined) ? undefined : true;
}

function portAnswer(test: PortTest | undefined, port: number | undefined): Answer {
  if (test === undefined) return true;
  if (port === undefined) return undefined;
  return test.ranges.some(([first, last]) => port >= first && port <= last) !== test.negate;
}

/** The answer of a pure match. */
export function answerOf(match: Match, known: Known, node: Node): Answer {
  switch (match.kind) {
    case "comment":
      return true;
    case "address":
      return match.field === "saddr" ? undefined : insideMask(known.dst, match.value, match.mask) !== match.negate;
    case "protocol":
      return (known.protocol === match.protocol) !== match.negate;
    case "fragment":
      return match.negate;
    case "interface":
      return match.field === "oif"
        ? interfaceHolds(match, known.oif)
        : known.iif === undefined
          ? undefined
          : interfaceHolds(match, known.iif);
    case "transport":
      return every([
        match.protocol === null ? hasPorts(known.protocol) : known.protocol === match.protocol,
        portAnswer(match.sport, undefined),
        portAnswer(match.dport, known.dport),
        match.flags === undefined ? true : undefined,
      ]);
    case "multiport":
      if (!hasPorts(known.protocol)) return false;
      return match.side === "destination" ? portAnswer(match, known.dport) : undefined;
    case "mark":
      return match.field === "mark" ? ((known.mark & match.mask) >>> 0 === match.value) !== match.negate : undefined;
    case "conntrack": {
      const { kind: _kind, module: _module, state, ...rest } = match;
      const others: Answer = Object.keys(rest).length > 0 ? undefined : true;
      return every([state === undefined ? true : negated((state.bits & stateBits(known)) !== 0, state.negate), others]);
    }
    case "address-type": {
      const asked = (test: AddressTypeTest | undefined, answer: Answer): Answer =>
        test === undefined ? true : negated(answer, test.negate);
      return every([
        asked(match.source, undefined),
        asked(match.destination, match.destination?.types.includes(node.addressType(known.dst))),
      ]);
    }
    case "physdev":
      return [match.in, match.out, match.isIn, match.isOut, match.isBridged].every(
        (test) => test === undefined || test.negate,
      );
    default:
      return undefined;
  }
}

function stateBits(known: Known): number {
  if (!known.tracked) return CtState.invalid;
  return (
    CtState.new | (known.status & CtStatus.dnat ? CtState.dnat : 0) | (known.status & CtStatus.snat ? CtState.snat : 0)
  );
}
