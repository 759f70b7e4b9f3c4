/**
 * The hot loops over the service tables: block by block in three passes, not one. Short loops over few arrays keep their values in
 * registers, and the lookups of many packets wait for memory together. No loop calls out: after a call every array would have to
 * be loaded anew.
 */
import { ENTRANCE_PREROUTING, type PacketBatch } from "../packet/batch.js";
import { CtState } from "../packet/connection.js";
import { BackendFlag, findService, pickBackend, type ServiceTables } from "./compile/services.js";
import { drawBits } from "./draw.js";
import { OutcomeFlag, type OutcomeBatch, VERDICT_ACCEPT } from "./outcome-batch.js";

/** Packets a batch is worked on at a time: the scratch of a block stays in the first-level cache. */
export const BLOCK = 1024;

/** What the passes hand on to each other, by the place of a packet in its block. */
export interface Scratch {
  /** The row of its service, -1 where no backend is to be picked. */
  readonly rows: Int32Array;
  /** The u32 drawn for it. */
  readonly numbers: Int32Array;
  /** Its backend. */
  readonly chosen: Int32Array;
}

export interface Passes {
  /** Finds the service of packets `from` to `to`. Those without a pick are written to `left` from `leftOver` on; gives the new `leftOver`. */
  lookUp(batch: PacketBatch, from: number, to: number, left: Int32Array, leftOver: number): number;
  /** Draws a u32 for each packet, named by its id, under a key of `drawKey`. */
  draw(id: Uint32Array, key: number, from: number, to: number): void;
  /** Picks a backend for each packet by its number. Gives for how many there was a choice. */
  choose(from: number, to: number): number;
  /** Writes the outcome of each packet a backend was picked for. */
  write(batch: PacketBatch, from: number, to: number, out: OutcomeBatch): void;
}

export function makeScratch(): Scratch {
  return { rows: new Int32Array(BLOCK), numbers: new Int32Array(BLOCK), chosen: new Int32Array(BLOCK) };
}

/**
 * The passes for one set of tables. Each set gets a copy of the code of its own, made from its text: V8 then compiles the tables in
 * as constants, and a second set in the same process does not slow down the first.
 */
export function makePasses(tables: ServiceTables, scratch: Scratch): Passes {
  const copy = new Function(`"use strict"; return ${build.toString()};`)() as typeof build;
  const { sourceTests } = tables;
  const tests = {
    value: Int32Array.from(sourceTests, (test) => test.value),
    mask: Int32Array.from(sourceTests, (test) => test.mask),
    negate: Int32Array.from(sourceTests, (test) => Number(test.negate)),
  };
  return copy(tables, tests, scratch, {
    findService,
    pickBackend,
    drawBits,
    NEW: CtState.new,
    PREROUTING: ENTRANCE_PREROUTING,
    ACCEPT: VERDICT_ACCEPT,
    HAIRPIN_BIT: 31 - Math.clz32(BackendFlag.hairpin),
    BACKEND_LOCAL: BackendFlag.local,
    BACKEND_FULLY_RANDOM: BackendFlag.fullyRandom,
    DNAT: OutcomeFlag.dnat,
    LOCAL: OutcomeFlag.local,
    MASQUERADE: OutcomeFlag.masquerade,
    FULLY_RANDOM: OutcomeFlag.fullyRandom,
  });
}

interface Code {
  readonly findService: typeof findService;
  readonly pickBackend: typeof pickBackend;
  readonly drawBits: typeof drawBits;
  readonly NEW: number;
  readonly PREROUTING: number;
  readonly ACCEPT: number;
  readonly HAIRPIN_BIT: number;
  readonly BACKEND_LOCAL: number;
  readonly BACKEND_FULLY_RANDOM: number;
  readonly DNAT: number;
  readonly LOCAL: number;
  readonly MASQUERADE: number;
  readonly FULLY_RANDOM: number;
}

/** Uses nothing but its parameters: it is copied by its text. */
function build(
  tables: ServiceTables,
  tests: { readonly value: Int32Array; readonly mask: Int32Array; readonly negate: Int32Array },
  scratch: Scratch,
  code: Code,
): Passes {
  const { map, slotMask, backends, bounds } = tables;
  const markUnmarked = tables.markUnmarked | 0;
  const marks = (tables.markUnmarked ^ tables.markMarked) | 0;
  const { value: testValue, mask: testMask, negate: testNegate } = tests;
  const { rows, numbers, chosen } = scratch;
  const { findService: find, pickBackend: pick, drawBits: bits } = code;
  const { NEW, PREROUTING, ACCEPT, HAIRPIN_BIT, BACKEND_LOCAL, BACKEND_FULLY_RANDOM } = code;
  const { DNAT, LOCAL, MASQUERADE, FULLY_RANDOM } = code;

  return {
    lookUp(batch, from, to, left, leftOver) {
      const { dst, protocol, dport, mark, state, entrance } = batch;
      for (let i = from; i < to; i++) {
        const row = find(map, slotMask, dst[i]! | 0, (protocol[i]! << 16) | dport[i]!);
        const special = (state[i]! ^ NEW) | (entrance[i]! ^ PREROUTING) | mark[i]!;
        if ((map[row + 3]! & 0xffff) === 0 || special !== 0) {
          left[leftOver++] = i;
          rows[i - from] = -1;
        } else rows[i - from] = row;
      }
      return leftOver;
    },

    draw(id, key, from, to) {
      for (let i = from; i < to; i++) numbers[i - from] = bits(key, id[i]! | 0);
    },

    choose(from, to) {
      let draws = 0;
      for (let n = 0; n < to - from; n++) {
        const row = rows[n]!;
        if (row < 0) continue;
        const choices = map[row + 3]! & 0xffff;
        let backend = map[row + 2]!;
        if (choices > 1) {
          backend += pick(bounds, map[row + 3]! >>> 16, choices, numbers[n]!);
          draws++;
        }
        chosen[n] = backend;
      }
      return draws;
    },

    write(batch, from, to, out) {
      const { src } = batch;
      const { verdict, flags: outFlags, dst, dport, mark } = out;
      for (let i = from; i < to; i++) {
        const row = rows[i - from]!;
        if (row < 0) continue;
        const backend = 2 * chosen[i - from]!;
        const test = map[row + 1]! >>> 24;
        const address = backends[backend]!;
        const rest = backends[backend + 1]!;
        const flags = rest >>> 16;
        const source = src[i]! | 0;
        // Without branches, as sources inside and outside of a prefix come mixed: 0 turned into 1, all else into 0.
        const off = (source & testMask[test]!) ^ testValue[test]!;
        const other = source ^ address;
        const marked =
          (((off | -off) >>> 31) ^ 1 ^ testNegate[test]!) | ((((other | -other) >>> 31) ^ 1) & (flags >>> HAIRPIN_BIT));
        // The masquerade flags of an unmarked and of a marked packet are neighbours.
        const masquerade = (flags >>> marked) & 1;
        verdict[i] = ACCEPT;
        outFlags[i] =
          DNAT |
          (flags & BACKEND_LOCAL ? LOCAL : 0) |
          (masquerade * MASQUERADE) |
          (flags & BACKEND_FULLY_RANDOM ? masquerade * FULLY_RANDOM : 0);
        dst[i] = address;
        dport[i] = rest;
        mark[i] = markUnmarked ^ (marks & -marked);
      }
    },
  };
}
