/**
 * The whole walk of a set of packets, put together from the diagrams of its base chains: hooks, NAT and routing as machine.ts has them.
 * It is asked for destinations in the service map, whose outcome the compiler worked out to the end, and for a packet that shows where
 * two chains differ.
 */
import { type Address, addressWords } from "../../packet/address.js";
import { CtStatus } from "../../packet/connection.js";
import type { Node, Route, RouteEntry } from "../../packet/node.js";
import type { Entrance } from "../../packet/packet.js";
import type { NatRange } from "../../ruleset/types.js";
import { answerTo } from "../answer.js";
import type { SourceTranslation } from "../outcome.js";
import { type Schedule, type Stage, type Station, ways } from "../path.js";
import { ALL, type DiagramNode, type Diagrams, NOTHING } from "./diagrams.js";
import { type Exit } from "./follow.js";
import type { Results } from "./results.js";
import { composeMarks, CTMARK, MARK, type Mark } from "./rows.js";
import { bitAt, type ConnectionKind, CONNECTIONS, type Field, type Space } from "./space.js";

/** What becomes of a packet. What is absent stays as it came. */
export interface Fate {
  readonly verdict: "accept" | "drop" | "reject" | "refuse";
  /** The answer of a rejected packet; the statement a refused one came to. */
  readonly with?: string;
  readonly destination?: { readonly address?: Address; readonly port?: number };
  readonly source?: SourceTranslation;
  readonly mark: Mark;
  readonly ctmark: Mark;
  readonly way?: "local" | "forward";
  readonly oif?: string;
  readonly notrack: boolean;
  readonly unseen?: true;
  readonly changes: readonly string[];
}

/** What a fate is made of; of two that say the same the words are the same. */
export interface FateParts {
  readonly verdict: Fate["verdict"];
  readonly with?: string | undefined;
  readonly destination?: Fate["destination"] | undefined;
  readonly source?: SourceTranslation | undefined;
  readonly mark: Mark;
  readonly ctmark: Mark;
  readonly way?: "local" | "forward" | undefined;
  readonly oif?: string | undefined;
  readonly notrack: boolean;
  readonly unseen: boolean;
  readonly changes: readonly string[];
}

export function makeFate(parts: FateParts): Fate {
  const { verdict, with: answer, destination, source, mark, ctmark, way, oif, notrack, unseen, changes } = parts;
  return {
    verdict,
    ...(answer === undefined ? {} : { with: answer }),
    ...(destination === undefined ? {} : { destination }),
    ...(source === undefined ? {} : { source }),
    mark,
    ctmark,
    ...(way === undefined ? {} : { way, oif: oif ?? "" }),
    notrack,
    ...(unseen ? { unseen: true as const } : {}),
    changes,
  };
}

/** Sets of packets before they enter: how each field of the packet, as a rule sees it, comes from the packet as it entered. */
interface Standing {
  /** For each bit of the header space the set of packets (as they entered) in which it is 1. */
  readonly bits: Int32Array;
  readonly mark: Mark;
  readonly ctmark: Mark;
  readonly notrack: boolean;
  readonly changes: readonly string[];
  readonly tracked: boolean;
  readonly dst: Address | undefined;
  readonly destination?: { readonly address?: Address; readonly port?: number };
  readonly source?: SourceTranslation;
  readonly way?: "local" | "forward";
  readonly oif?: string;
  readonly loopback?: true;
}

/** Where a walk stands. */
interface Position {
  readonly stages: readonly Stage[];
  readonly stage: number;
  readonly stations: readonly Station[];
  readonly station: number;
  readonly natChain: number;
}

/** What is fixed of the packets of a journey. */
export interface Start {
  readonly entrance: Entrance;
  /** What conntrack says of them; `new`, `established` and `related` are not translated. */
  readonly connection: Exclude<ConnectionKind, "none">;
  readonly fields: Readonly<Partial<Record<Field, Address>>>;
}

export class Journey {
  private readonly diagrams: Diagrams;

  constructor(
    private readonly space: Space,
    private readonly node: Node,
    private readonly schedule: Schedule,
    private readonly exits: Results<Exit>,
    private readonly fates: Results<Fate>,
    /** The diagram of a base chain, by its id. */
    private readonly chains: (chain: number) => DiagramNode,
  ) {
    this.diagrams = space.diagrams;
  }

  /** From the packets, as they enter the node, to their fates. */
  travel(start: Start): DiagramNode {
    const { space } = this;
    const levels = space.placeOf("replyDport").at + space.placeOf("replyDport").width;
    const bits = Int32Array.from({ length: levels }, (_, level) => this.diagrams.node(level, NOTHING, ALL));
    for (const [field, value] of Object.entries(start.fields) as [Field, Address][]) this.fix(bits, field, value);
    for (const [field, from] of [
      ["originalSrc", "src"],
      ["originalDst", "dst"],
      ["originalSport", "sport"],
      ["originalDport", "dport"],
      ["originalProtocol", "protocol"],
      ["replySrc", "dst"],
      ["replyDst", "src"],
      ["replySport", "dport"],
      ["replyDport", "sport"],
    ] as const)
      this.copy(bits, field, from);
    this.fix(bits, "connection", CONNECTIONS.indexOf("none"));
    this.name(bits, "oif", "");
    if (start.entrance === "output") this.name(bits, "iif", "");
    const { mark = undefined } = start.fields;
    const standing: Standing = {
      bits,
      mark: typeof mark === "number" ? { ofMark: 0, ofCtmark: 0, flip: mark } : MARK,
      ctmark: typeof start.fields.ctmark === "number" ? { ofMark: 0, ofCtmark: 0, flip: start.fields.ctmark } : CTMARK,
      notrack: false,
      changes: [],
      tracked: false,
      dst: start.fields.dst,
    };
    const position = { stages: ways[start.entrance].first, stage: 0, stations: [], station: 0, natChain: 0 };
    return this.go(standing, position, start);
  }

  /** On to the next station, hook or decision. */
  private go(standing: Standing, at: Position, start: Start): DiagramNode {
    const station = at.stations[at.station];
    if (station !== undefined) return this.pass(station, standing, at, start);
    const stage = at.stages[at.stage];
    const next: Position = { ...at, stage: at.stage + 1, stations: [], station: 0, natChain: 0 };
    if (stage === undefined) {
      if (at.stages !== ways[start.entrance].first) return this.end(standing, "accept");
      return this.go(standing, { ...next, stages: ways[start.entrance][standing.way!], stage: 0 }, start);
    }
    if (stage.kind === "route")
      return this.routed(standing, (route) => {
        const { oif, local } = route;
        const routedOnce = { ...standing, bits: standing.bits.slice(), oif, way: local ? "local" : "forward" } as const;
        this.name(routedOnce.bits, "oif", oif);
        return this.go(routedOnce, next, start);
      });
    let entered = standing;
    if (stage.hook === "prerouting" || stage.hook === "input" || stage.loopback === true) {
      entered = { ...standing, bits: standing.bits.slice() };
      if (stage.hook !== "postrouting") {
        this.name(entered.bits, "oif", "");
        if (standing.oif !== undefined) entered = { ...entered, oif: "" };
      }
      if (stage.loopback === true) entered = this.comeBack(entered);
    }
    return this.go(entered, { ...next, stations: this.schedule[stage.hook] }, start);
  }

  /** By lo, with its connection confirmed and its source translated. */
  private comeBack(standing: Standing): Standing {
    const { bits } = standing;
    this.name(bits, "iif", "lo");
    if (standing.loopback !== true) {
      this.setStatus(bits, CtStatus.confirmed, ALL);
      const address = standing.source?.to.addresses?.[0];
      if (address !== undefined) {
        const same = this.equals(bits, "src", address);
        this.fix(bits, "src", address);
        this.setStatus(bits, CtStatus.snat, this.diagrams.not(same));
      }
    }
    return { ...standing, loopback: true };
  }

  private pass(station: Station, standing: Standing, at: Position, start: Start): DiagramNode {
    const next: Position = { ...at, station: at.station + 1, natChain: 0 };
    switch (station.kind) {
      case "conntrack": {
        if (standing.tracked) return this.go(standing, next, start);
        const tracked = { ...standing, bits: standing.bits.slice(), tracked: true };
        const kind = standing.notrack ? "untracked" : start.connection;
        this.fix(tracked.bits, "connection", CONNECTIONS.indexOf(kind));
        return this.go(tracked, next, start);
      }
      case "chain":
        return this.enter(station.chain.id, standing, (after) => this.go(after, next, start));
      case "nat": {
        const done = station.manip === "destination" ? standing.destination : standing.source;
        const chain = station.chains[at.natChain];
        const asks =
          start.connection === "fresh" && !standing.notrack && standing.tracked && standing.loopback !== true;
        if (!asks || chain === undefined || done !== undefined) return this.go(standing, next, start);
        return this.enter(chain.id, standing, (after) => this.go(after, { ...at, natChain: at.natChain + 1 }, start));
      }
    }
  }

  /** Through a base chain; what is accepted or translated goes on. */
  private enter(chain: number, standing: Standing, on: (after: Standing) => DiagramNode): DiagramNode {
    const { bits } = standing;
    return this.diagrams.compose(
      this.chains(chain),
      (level) => (level < bits.length ? bits[level]! : this.diagrams.node(level, NOTHING, ALL)),
      (terminal) => (terminal === NOTHING ? NOTHING : this.left(this.exits.at(terminal), chain, standing, on)),
    );
  }

  private left(exit: Exit, chain: number, before: Standing, on: (after: Standing) => DiagramNode): DiagramNode {
    const resolved = (mark: Mark): Mark => composeMarks(mark, before.mark, before.ctmark);
    const after: Standing = {
      ...before,
      bits: before.bits.slice(),
      mark: resolved(exit.mark),
      ctmark: resolved(exit.ctmark),
      notrack: before.notrack || exit.notrack,
      changes: [
        ...before.changes,
        ...exit.changes.map((change) =>
          change.startsWith("{") ? JSON.stringify(resolved(JSON.parse(change) as Mark)) : change,
        ),
      ],
    };
    this.setMark(after.bits, "mark", after.mark);
    this.setMark(after.bits, "ctmark", after.ctmark);
    if (exit.notrack) this.fix(after.bits, "connection", CONNECTIONS.indexOf("untracked"));
    const { end } = exit;
    switch (end.kind) {
      case "accept":
        return on(after);
      case "drop":
        return this.end(after, "drop");
      case "reject":
        return this.end(after, "reject", answerTo(this.space.family, end.with));
      case "refuse":
        return this.end(after, "refuse", `${end.rule}.${end.statement}`);
      case "unread":
      case "general":
        return this.end(after, "refuse", end.kind);
      case "dnat":
        return this.translate(after, end.to, on);
      case "redirect":
        return this.redirect(after, end.to, chain, on);
      case "snat":
        return on({ ...after, source: { kind: "snat", to: end.to, hook: this.hookOf(chain) } });
      case "masquerade":
        return this.routed(after, ({ source }) => {
          const to = source === undefined ? end.to : { ...end.to, addresses: [source, source] as const };
          return on({ ...after, source: { kind: "masquerade", to, hook: this.hookOf(chain) } });
        });
    }
  }

  private hookOf(chain: number): "input" | "postrouting" {
    const inInput = this.schedule.input.some(
      (station) => station.kind === "nat" && station.chains.some(({ id }) => id === chain),
    );
    return inInput ? "input" : "postrouting";
  }

  /** The first address and port of the range, as a walk without a choice of its own takes. */
  private translate(standing: Standing, to: NatRange, on: (after: Standing) => DiagramNode): DiagramNode {
    const [address] = to.addresses ?? [];
    const [port] = to.ports ?? [];
    const { bits } = standing;
    const same = this.diagrams.and(
      address === undefined ? ALL : this.equals(bits, "dst", address),
      port === undefined ? ALL : this.equals(bits, "dport", port),
    );
    const destination = {
      ...(address === undefined ? {} : { address }),
      ...(port === undefined ? {} : { port }),
    };
    const moved = (changed: DiagramNode): DiagramNode => {
      const own = bits.slice();
      if (address !== undefined) this.fix(own, "dst", address);
      if (port !== undefined) this.fix(own, "dport", port);
      this.copy(own, "replySrc", "dst");
      this.copy(own, "replySport", "dport");
      if (changed === ALL) this.setStatus(own, CtStatus.dnat, ALL);
      return on({ ...standing, bits: own, destination, ...(address === undefined ? {} : { dst: address }) });
    };
    return this.split(
      same,
      () => moved(NOTHING),
      () => moved(ALL),
    );
  }

  private redirect(standing: Standing, to: NatRange, chain: number, on: (after: Standing) => DiagramNode): DiagramNode {
    const family = this.space.family === "ip" ? "number" : "object";
    const output = this.schedule.output.some((s) => s.kind === "nat" && s.chains.some(({ id }) => id === chain));
    if (output) {
      const loopback: Address = family === "number" ? 0x7f000001 : [0, 0, 0, 1];
      return this.translate(standing, { ...to, addresses: [loopback, loopback] }, on);
    }
    let rest: DiagramNode = NOTHING;
    for (const [i, name] of this.space.namesOf("iif").entries()) {
      const come = this.equals(standing.bits, "iif", i);
      if (come === NOTHING) continue;
      const { node } = this;
      const route = node.routes.find((r) => r.oif === name && typeof r.source === family);
      const address = route?.source ?? node.addresses.find((a) => typeof a === family);
      const gone =
        address === undefined
          ? this.end(standing, "refuse", "redirect")
          : this.translate(standing, { ...to, addresses: [address, address] }, on);
      rest = this.diagrams.choose(come, gone, rest);
    }
    return rest;
  }

  /** By where the destination is routed. */
  private routed(standing: Standing, on: (route: Route) => DiagramNode): DiagramNode {
    const { node, space } = this;
    if (standing.dst !== undefined) return this.to(standing, standing.dst, on);
    const own = (address: Address): boolean => (typeof address === "number") === (space.family === "ip");
    const loopback: Address = space.family === "ip" ? 0x7f000001 : [0, 0, 0, 1];
    const regions: { readonly set: DiagramNode; readonly example: Address }[] = [];
    const at = (field: DiagramNode, example: Address): void => void regions.push({ set: field, example });
    at(space.family === "ip" ? space.masked("dst", 0x7f000000, 0xff000000) : space.equals("dst", loopback), loopback);
    for (const address of node.addresses.filter(own)) at(space.equals("dst", address), address);
    const others = node.routes.filter(({ value }) => own(value)).reverse();
    // Routes come longest first; each is taken where no earlier one is.
    let result = on(this.routeBy(undefined));
    for (const route of others)
      result = this.split(
        this.resolve(standing.bits, space.masked("dst", route.value, route.mask)),
        () => on(this.routeBy(route)),
        () => result,
      );
    for (const { set, example } of regions)
      result = this.split(
        this.resolve(standing.bits, set),
        () => this.to(standing, example, on),
        () => result,
      );
    return result;
  }

  /** To an address, by the interface the packets came in by: ::1 is the node itself for its own packets only. */
  private to(standing: Standing, address: Address, on: (route: Route) => DiagramNode): DiagramNode {
    const { node } = this;
    const own = node.route(address);
    let result = on(own);
    const nowhere = this.end(standing, "drop");
    for (const [i, name] of this.space.namesOf("iif").entries()) {
      const route = node.routeFrom(name, address);
      const come = this.equals(standing.bits, "iif", i);
      if (route?.oif === own.oif || come === NOTHING) continue;
      result = this.diagrams.choose(come, route === undefined ? nowhere : on(route), result);
    }
    return result;
  }

  /** Where a line of the routing table leads, or the way of all else. */
  private routeBy(entry: RouteEntry | undefined): Route {
    const { node, space } = this;
    const primary = node.addresses.find((address) => (typeof address === "number") === (space.family === "ip"));
    return { local: false, oif: entry?.oif ?? node.defaultInterface, source: entry?.source ?? primary };
  }

  private split(set: DiagramNode, yes: () => DiagramNode, no: () => DiagramNode): DiagramNode {
    if (set === ALL) return yes();
    if (set === NOTHING) return no();
    return this.diagrams.choose(set, yes(), no());
  }

  private end(standing: Standing, verdict: Fate["verdict"], answer?: string): DiagramNode {
    const { source, tracked, loopback } = standing;
    const stopped = verdict !== "accept";
    const kept = stopped && loopback !== true ? undefined : source;
    return this.fates.terminal(
      makeFate({ ...standing, verdict, with: answer, source: kept, unseen: stopped && !tracked }),
    );
  }

  /** A set of packets as a rule sees them, as they entered. */
  private resolve(bits: Int32Array, set: DiagramNode): DiagramNode {
    return this.diagrams.compose(
      set,
      (level) => bits[level]!,
      (terminal) => terminal,
    );
  }

  private equals(bits: Int32Array, field: Field, value: Address): DiagramNode {
    return this.resolve(bits, this.space.equals(field, value));
  }

  private fix(bits: Int32Array, field: Field, value: Address): void {
    const { at, width } = this.space.placeOf(field);
    for (let i = 0; i < width; i++) bits[at + i] = bitAt(addressWords(value), width, i) === 1 ? ALL : NOTHING;
  }

  private name(bits: Int32Array, field: "iif" | "oif", name: string): void {
    this.fix(bits, field, this.space.namesOf(field).indexOf(name));
  }

  private copy(bits: Int32Array, field: Field, from: Field): void {
    const [to, source] = [this.space.placeOf(field), this.space.placeOf(from)];
    for (let i = 0; i < to.width; i++) bits[to.at + i] = bits[source.at + i]!;
  }

  private setStatus(bits: Int32Array, status: number, when: DiagramNode): void {
    const { at, width } = this.space.placeOf("status");
    const bit = at + width - 1 - (31 - Math.clz32(status));
    bits[bit] = this.diagrams.or(bits[bit]!, when);
  }

  private setMark(bits: Int32Array, field: "mark" | "ctmark", mark: Mark): void {
    const { at, width } = this.space.placeOf(field);
    for (let bit = 0; bit < width; bit++) {
      const shift = 31 - bit;
      let set: DiagramNode = (mark.flip >>> shift) & 1 ? ALL : NOTHING;
      if ((mark.ofMark >>> shift) & 1)
        set = this.diagrams.xor(set, this.diagrams.node(this.space.placeOf("mark").at + bit, NOTHING, ALL));
      if ((mark.ofCtmark >>> shift) & 1)
        set = this.diagrams.xor(set, this.diagrams.node(this.space.placeOf("ctmark").at + bit, NOTHING, ALL));
      bits[at + bit] = set;
    }
  }
}
