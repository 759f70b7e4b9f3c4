import { CtState, CtStatus } from "../packet/connection.js";
import type { ConntrackMatch, Match } from "../ruleset/types.js";

const NO_ENTRY = CtState.invalid | CtState.untracked;
const STATES = CtState.invalid | CtState.new | CtState.related | CtState.established | CtState.untracked;

const stateMatch = (bits: number): Match => ({
  kind: "conntrack",
  module: "conntrack",
  state: { bits, negate: false },
});
const statusMatch = (bits: number, negate: boolean): Match => ({
  kind: "conntrack",
  module: "conntrack",
  status: { bits, negate },
});

/**
 * xt_conntrack as alternatives of nftables matches, of which a packet fulfils one at most. A packet without an entry passes all tests but that
 * of the state there, where one stands; in nftables it fails every one. SNAT and DNAT count as states there, as status bits here.
 */
export function conntrackAlternatives(match: ConntrackMatch): Match[][] {
  const { state, status, ...rest } = match;
  const others = singleTests(rest, status);
  if (state === undefined)
    return others === undefined ? [] : [others.length > 0 ? others : [stateMatch(STATES & ~NO_ENTRY)]];
  const translated = (state.bits & CtState.snat ? CtStatus.snat : 0) | (state.bits & CtState.dnat ? CtStatus.dnat : 0);
  const named = state.bits & STATES;
  const holding = state.negate ? STATES & ~named : named;
  if (others?.length === 0 && translated === 0) return holding === 0 ? [] : [[stateMatch(holding)]];

  const alternatives: Match[][] = [];
  const without = holding & NO_ENTRY;
  if (without !== 0) alternatives.push([stateMatch(without)]);
  if (others === undefined) return alternatives;
  const withEntry = holding & ~NO_ENTRY;
  if (translated === 0) {
    if (withEntry !== 0) alternatives.push([stateMatch(withEntry), ...others]);
  } else if (state.negate) {
    if (withEntry !== 0) alternatives.push([stateMatch(withEntry), statusMatch(translated, true), ...others]);
  } else {
    if (withEntry !== 0) alternatives.push([stateMatch(withEntry), ...others]);
    const remaining = STATES & ~NO_ENTRY & ~named;
    if (remaining !== 0) alternatives.push([stateMatch(remaining), statusMatch(translated, false), ...others]);
  }
  return alternatives;
}

export function asksForPorts(match: ConntrackMatch): boolean {
  const { originalSourcePort, originalDestinationPort, replySourcePort, replyDestinationPort } = match;
  const ports = [originalSourcePort, originalDestinationPort, replySourcePort, replyDestinationPort];
  return ports.some((test) => test !== undefined);
}

/** Every test a match of its own, as nft writes them; undefined where they can never hold (`--ctstatus NONE`). */
function singleTests(
  { kind, ...rest }: Omit<ConntrackMatch, "state" | "status">,
  status: ConntrackMatch["status"],
): Match[] | undefined {
  const single: Match[] = Object.entries(rest).flatMap(([name, test]) =>
    name === "module" || test === undefined ? [] : [{ kind, module: "conntrack", [name]: test } as Match],
  );
  if (status === undefined) return single;
  if (status.bits !== 0) single.push(statusMatch(status.bits, status.negate));
  else if (!status.negate) return undefined;
  return single;
}
