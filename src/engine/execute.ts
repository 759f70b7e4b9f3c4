/** What each action and verdict does to a walk: one function a statement, shared by every engine. */
import { type Address, addressWords, formatEndpoint } from "../packet/address.js";
import { UNTRACKED_CONNECTION } from "../packet/connection.js";
import { hasPorts, isIcmp } from "../packet/protocol.js";
import { tupleOf } from "../packet/packet.js";
import type { ResolvedChain } from "../ruleset/resolve.js";
import type { Action, KeyPart, MappedRange, NatRange, PortRange, SetUpdateAction, Verdict } from "../ruleset/types.js";
import { answerTo } from "./answer.js";
import { evaluateKey, evaluateNumber, lookUp } from "./expression.js";
import { elementAt, hasRoom, setOfRule } from "./named-set.js";
import { isForFamily } from "./nat-family.js";
import { describe, type Place, refuse } from "./place.js";
import { constantOf, spanOf } from "./value.js";
import type { Outcome } from "./types.js";
import type { Walk } from "./walk.js";

/**
 * What comes next: the next statement, the next rule, a chain left or entered (the stack says where the walk stands now),
 * the end of the base chain as accepted, or the end of the walk.
 */
export type Next = "statement" | "rule" | "chain" | "accept" | Outcome;
/** `fail`: the rule fails, as by a match that does not hold. */
export type Execute<S extends Action | Verdict> = (statement: S, walk: Walk, place: Place) => Next | "fail";
export type ActionTable = { readonly [K in Action["kind"]]: Execute<Extract<Action, { kind: K }>> };
export type VerdictTable = { readonly [K in Verdict["kind"]]: Execute<Extract<Verdict, { kind: K }>> };

export const actions: ActionTable = {
  // net/netfilter/xt_nat.c, nft_nat.c, nf_nat_core.c
  dnat: (action, walk, place) => {
    const range = rangeOf(action, walk, place);
    if (range === undefined) return "fail";
    if (!isForFamily(range, walk.packet.family)) return "statement";
    const to = chooseDestination(walk, range);
    if (to === undefined) return walk.outcome("drop", place.at);
    return translateDestination(walk, to.address, to.port);
  },
  // net/netfilter/nf_nat_redirect.c: to the address of the incoming interface; to loopback at output
  redirect: (action, walk, place) => {
    const range = rangeOf(action, walk, place);
    if (range === undefined) return "fail";
    const address = walk.hook === "output" ? loopback(walk) : interfaceAddress(walk, place);
    const to = chooseDestination(walk, { ...range, addresses: [address, address] });
    if (to === undefined) return walk.outcome("drop", place.at);
    return translateDestination(walk, to.address, to.port);
  },
  snat: (action, walk, place) => {
    const range = rangeOf(action, walk, place);
    if (range === undefined) return "fail";
    return isForFamily(range, walk.packet.family) ? translateSource(walk, "snat", range) : "statement";
  },
  masquerade: (action, walk) => {
    const address = walk.context.node.routeFrom(walk.iif, walk.dst)?.source;
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
  // net/netfilter/nft_meta.c, nft_ct.c: without an entry there is no mark to set, and the rule goes on
  assign: (action, walk, place) => {
    const value = evaluateNumber(action.value, walk, place);
    if (value === undefined) return "fail";
    if (action.field === "mark") walk.mark = value;
    else if (hasEntry(walk)) setConnectionMark(walk, value);
    return "statement";
  },
  log: () => "statement",
  // net/netfilter/xt_CT.c, nft_ct.c: only a packet without a connection, not seen yet or invalid; rules see it untracked from here on
  notrack: (_, walk) => {
    if (walk.connection === undefined || walk.connection.state === "invalid") {
      walk.notrack = true;
      walk.connection = UNTRACKED_CONNECTION;
    }
    return "statement";
  },
  counter: () => "statement",
  "set-update": updateSet,
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
  reject: (verdict, walk, place) => walk.outcome("reject", place.at, answerTo(walk.packet.family, verdict.with)),
  continue: () => "statement",
  return: (_, walk) => {
    walk.leave();
    return "chain";
  },
  jump: (verdict, walk, place) => {
    const target = chainNamed(verdict.chain, walk, place);
    walk.nextRule();
    walk.enter(target);
    return "chain";
  },
  // After goto the rest of the calling chain is not visited: the frame of the caller is given up.
  goto: (verdict, walk, place) => {
    const target = chainNamed(verdict.chain, walk, place);
    walk.leave();
    walk.enter(target, true);
    return "chain";
  },
  // net/netfilter/nft_lookup.c
  "verdict-map": (map, walk, place) => {
    const verdict = lookUp(map.key, map.map, walk, place)?.verdict;
    if (verdict === undefined) return "fail";
    const execute = verdicts[verdict.kind] as Execute<Verdict>;
    return execute(verdict, walk, place);
  },
};

function chainNamed(name: string, walk: Walk, place: Place): ResolvedChain {
  const found = walk.resolved.findChain(place.at.chain.table, name);
  return found ?? refuse(place, `chain ${name} is not defined, so where rule ${describe(place)} leads cannot be told`);
}

/** net/netfilter/nft_dynset.c: `update` starts an element's time anew, `add` leaves one that is there as it is; a full set fails the rule. */
function updateSet(action: SetUpdateAction, walk: Walk, place: Place): Next | "fail" {
  const set = setOfRule(place.at, action.set);
  if (set === undefined)
    return refuse(place, `there is no set or map ${action.set} in table ${place.at.chain.table.name}`);
  const key = evaluateKey(action.key, walk, place);
  const data = action.data === undefined ? undefined : evaluateKey(action.data, walk, place);
  if (key === undefined || (action.data !== undefined && data === undefined)) return "fail";
  const { now } = walk.context;
  const { view } = walk;
  const common = { kind: "set", set: set.id, operation: action.operation, key } as const;
  const held = elementAt(set, key, view, now);
  if (action.operation === "delete") {
    if (held !== undefined) view.change({ ...common, element: { ...held, expires: now } });
    return "statement";
  }
  const timeout = action.timeout ?? set.definition.timeout;
  const expires = timeout === undefined ? null : now + timeout;
  if (held !== undefined) {
    if (action.operation === "update" && held.expires !== null)
      view.change({ ...common, element: { ...held, expires } });
    return "statement";
  }
  if (!hasRoom(set, view, now)) return "fail";
  const value = data && { data: data.map(constantOf) };
  view.change({ ...common, element: { key, expires, ...value } });
  return "statement";
}

/** Where a translation may go, with what is looked up in maps; undefined where a map holds no such key. */
function rangeOf(
  { to, mapped }: { readonly to: NatRange; readonly mapped?: MappedRange },
  walk: Walk,
  place: Place,
): NatRange | undefined {
  if (mapped === undefined) return to;
  let { addresses, ports } = to;
  if (mapped.addresses !== undefined) {
    const data = lookUp(mapped.addresses.key, mapped.addresses.map, walk, place)?.data;
    if (data === undefined) return undefined;
    addresses = addressRange(data[0]!, place);
    if (data[1] !== undefined) ports = portRange(data[1], place);
  }
  if (mapped.ports !== undefined) {
    const data = lookUp(mapped.ports.key, mapped.ports.map, walk, place)?.data;
    if (data === undefined) return undefined;
    ports = portRange(data[0]!, place);
  }
  return { ...to, ...(addresses === undefined ? {} : { addresses }), ...(ports === undefined ? {} : { ports }) };
}

function addressRange(part: KeyPart, place: Place): readonly [Address, Address] {
  const span = spanOf(part);
  return span === undefined ? refuse(place, "the map's data is no address") : [span.first, span.last];
}

function portRange(part: KeyPart, place: Place): PortRange {
  const span = spanOf(part);
  if (typeof span?.first !== "number" || typeof span.last !== "number")
    return refuse(place, "the map's data is no port");
  return [span.first, span.last];
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
