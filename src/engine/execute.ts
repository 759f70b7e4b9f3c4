/** What each action and verdict does to a walk: one function a statement, shared by every engine. */
import { type Address, addressWords, formatEndpoint } from "../packet/address.js";
import { hasPorts, isIcmp } from "../packet/protocol.js";
import { tupleOf } from "../packet/packet.js";
import type { Action, NatRange, Verdict } from "../ruleset/types.js";
import { describe, type Place, refuse } from "./evaluate.js";
import type { Outcome } from "./types.js";
import type { Walk } from "./walk.js";

/**
 * What comes next: the next statement, the next rule, a chain left or entered (the stack says where the walk stands now),
 * the end of the base chain as accepted, or the end of the walk.
 */
export type Next = "statement" | "rule" | "chain" | "accept" | Outcome;
export type Execute<S extends Action | Verdict> = (statement: S, walk: Walk, place: Place) => Next;
export type ActionTable = { readonly [K in Action["kind"]]: Execute<Extract<Action, { kind: K }>> };
export type VerdictTable = { readonly [K in Verdict["kind"]]: Execute<Extract<Verdict, { kind: K }>> };

export const actions: ActionTable = {
  // net/netfilter/xt_nat.c, nf_nat_core.c
  dnat: (action, walk, place) => {
    const to = chooseDestination(walk, action.to);
    if (to === undefined) return walk.outcome("drop", place.at);
    return translateDestination(walk, to.address, to.port);
  },
  // net/netfilter/nf_nat_redirect.c: to the address of the incoming interface; to loopback at output
  redirect: (action, walk, place) => {
    const address = walk.hook === "output" ? loopback(walk) : interfaceAddress(walk, place);
    const to = chooseDestination(walk, { ...action.to, addresses: [address, address] });
    if (to === undefined) return walk.outcome("drop", place.at);
    return translateDestination(walk, to.address, to.port);
  },
  snat: (action, walk) => translateSource(walk, "snat", action.to),
  masquerade: (action, walk) => {
    const address = walk.context.node.route(walk.dst).source;
    return translateSource(
      walk,
      "masquerade",
      address === undefined ? action.to : { ...action.to, addresses: [address, address] },
    );
  },
  // net/netfilter/xt_mark.c, xt_connmark.c
  "set-mark": (action, walk) => {
    if (action.field === "mark") walk.mark = ((walk.mark & ~action.clear) ^ action.xor) >>> 0;
    else if (hasEntry(walk)) setConnectionMark(walk, ((walk.ctmark & ~action.clear) ^ action.xor) >>> 0);
    return "statement";
  },
  "copy-mark": (action, walk) => {
    if (!hasEntry(walk)) return "statement";
    if (action.direction === "save") {
      setConnectionMark(walk, ((walk.ctmark & ~action.ctmask) ^ (walk.mark & action.nfmask)) >>> 0);
    } else walk.mark = ((walk.mark & ~action.nfmask) ^ (walk.ctmark & action.ctmask)) >>> 0;
    return "statement";
  },
  assign: (_, __, place) => refuse(place, "expressions of nftables cannot be evaluated yet"),
  log: () => "statement",
  // net/netfilter/xt_CT.c: only a packet that conntrack has not seen yet
  notrack: (_, walk) => {
    if (walk.connection === undefined) walk.notrack = true;
    return "statement";
  },
  counter: () => "statement",
  "set-update": (_, __, place) => refuse(place, "sets of nftables cannot be evaluated yet"),
  "opaque-target": (action, walk, place) => {
    const answer = walk.context.assume?.(place.at);
    if (answer === undefined) {
      refuse(
        place,
        `the target ${action.target} is not known, so what this rule does cannot be told; --assume ${place.at.rule.span?.line ?? "LINE"}=no passes over it`,
      );
    }
    if (answer)
      refuse(
        place,
        `the target ${action.target} cannot be carried out; only --assume ${place.at.rule.span?.line ?? "LINE"}=no is possible`,
      );
    return "rule";
  },
};

export const verdicts: VerdictTable = {
  accept: () => "accept",
  drop: (_, walk, place) => walk.outcome("drop", place.at),
  reject: (verdict, walk, place) => walk.outcome("reject", place.at, verdict.with),
  continue: () => "rule",
  return: (_, walk) => {
    walk.leave();
    return "chain";
  },
  jump: (verdict, walk, place) => {
    const target = place.at.target ?? missing(place, verdict.chain);
    walk.nextRule();
    walk.enter(target);
    return "chain";
  },
  // After goto the rest of the calling chain is not visited: the frame of the caller is given up.
  goto: (verdict, walk, place) => {
    const target = place.at.target ?? missing(place, verdict.chain);
    walk.leave();
    walk.enter(target);
    return "chain";
  },
  "verdict-map": (_, __, place) => refuse(place, "verdict maps of nftables cannot be evaluated yet"),
};

function missing(place: Place, chain: string): never {
  return refuse(place, `chain ${chain} is not defined, so where rule ${describe(place)} leads cannot be told`);
}

const hasEntry = (walk: Walk): boolean =>
  walk.connection !== undefined && walk.connection.state !== "invalid" && walk.connection.state !== "untracked";

function setConnectionMark(walk: Walk, mark: number): void {
  if (mark === walk.ctmark) return;
  walk.ctmark = mark;
  walk.view.change({ kind: "ctmark", mark });
}

/**
 * The destination a range leaves: the address as it is where the range names none, else the only one, else what the context
 * chooses. The port stays where the range names none.
 */
function chooseDestination(walk: Walk, to: NatRange): { address: Address; port: number } | undefined {
  const [first, last] = to.addresses ?? [walk.dst, walk.dst];
  const ported = hasPorts(walk.protocol);
  const [firstPort, lastPort] = to.ports !== undefined && ported ? to.ports : [walk.dport, walk.dport];
  const settled = String(addressWords(first)) === String(addressWords(last)) && firstPort === lastPort;
  if (settled || walk.context.chooseDestination === undefined) return { address: first, port: firstPort };
  const chosen = walk.context.chooseDestination(tupleOf(walk), to);
  return chosen && { address: chosen.dst, port: chosen.dport };
}

function translateDestination(walk: Walk, address: Address, port: number): Next {
  const from = endpointOf(walk);
  walk.translateDestination(address, port);
  walk.steps?.push({ kind: "translate", what: "destination", from, to: endpointOf(walk) });
  return "accept";
}

const endpointOf = (walk: Walk): string => formatEndpoint(walk.dst, isIcmp(walk.protocol) ? 0 : walk.dport);

function translateSource(walk: Walk, kind: "snat" | "masquerade", to: NatRange): Next {
  walk.source = { kind, to, hook: walk.hook === "input" ? "input" : "postrouting" };
  walk.steps?.push({
    kind: "translate",
    what: "source",
    from: formatEndpoint(walk.src, walk.sport),
    to: kind === "masquerade" ? "the address of the outgoing interface" : "the range of SNAT",
  });
  return "accept";
}

function loopback(walk: Walk): Address {
  return walk.packet.family === "ip" ? 0x7f000001 : [0, 0, 0, 1];
}

function interfaceAddress(walk: Walk, place: Place): Address {
  const { node } = walk.context;
  const on = node.routes.find(
    (entry) => entry.oif === walk.iif && entry.source !== undefined && typeof entry.source === typeof walk.dst,
  );
  const address = on?.source ?? node.addresses.find((a) => typeof a === typeof walk.dst);
  return address ?? refuse(place, "REDIRECT leads to the node's address, which is not known; give it with --node-ip");
}
