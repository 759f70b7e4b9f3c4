/** What a walk needs besides the packet, built from few options. */
import { CtState, type Connection, NEW_CONNECTION } from "../packet/connection.js";
import { Node } from "../packet/node.js";
import type { Tuple } from "../packet/tuple.js";
import { addressWords } from "../packet/address.js";
import { chooseDestination, EMPTY_SPACE, type Random, type TupleSpace } from "../conntrack/nat.js";
import { hashWords } from "../conntrack/hash.js";
import type { ConntrackTable } from "../conntrack/table.js";
import { drawKey, drawWith, namedDraw } from "../engine/draw.js";
import { FRESH_STATE } from "../engine/state.js";
import type { Context } from "../engine/types.js";

export interface ContextOptions {
  readonly node?: Node;
  /** Names all random numbers of the walk; default 1. */
  readonly seed?: number;
  /** The packet's name in draws; default 0. */
  readonly packet?: number;
  /** Milliseconds; default 0. */
  readonly now?: number;
  /** What conntrack says of the packet; default: the first of its connection. */
  readonly connection?: Connection;
  readonly assume?: Context["assume"];
  readonly assumeState?: Context["assumeState"];
}

/** A context in which nothing has happened yet: no connection, no state of rules, every tuple free. */
export function freshContext(options: ContextOptions = {}): Context {
  const seed = options.seed ?? 1;
  return {
    node: options.node ?? new Node(),
    draw: namedDraw(seed),
    packet: options.packet ?? 0,
    now: options.now ?? 0,
    connection: options.connection ?? NEW_CONNECTION,
    state: FRESH_STATE,
    chooseDestination: (tuple, range) => chooseDestination(tuple, range, EMPTY_SPACE, translationRandom(seed, tuple)),
    ...(options.assume === undefined ? {} : { assume: options.assume }),
    ...(options.assumeState === undefined ? {} : { assumeState: options.assumeState }),
  };
}

/** A connection in the given state without an entry behind it, for walks of a single packet. */
export function connectionInState(state: Exclude<keyof typeof CtState, "snat" | "dnat">): Connection {
  return { ...NEW_CONNECTION, state };
}

/** Rule ids count up from 0; this one names the numbers that translations use. */
const TRANSLATION = -1;

/** Random numbers for the translation of one tuple: named by it, so that they do not depend on what was translated before. */
export function translationRandom(seed: number, tuple: Tuple): Random {
  const words = Int32Array.from([...addressWords(tuple.src), ...addressWords(tuple.dst)]);
  const name = hashWords(words, 0, words.length, (tuple.sport << 16) | tuple.dport, tuple.protocol) >>> 0;
  let drawn = 0;
  return () => drawWith(drawKey(seed, TRANSLATION, drawn++), name);
}

/** The live connections of a table, at a tick of it, as the choice of tuples sees them. */
export function spaceOf(table: ConntrackTable, tick: number): TupleSpace {
  return {
    isTaken: (tuple) => table.isLive(tuple, tick),
    findMapping: (source, accept) => table.findMapping(source, accept),
  };
}
