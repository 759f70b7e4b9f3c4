/**
 * The hot loops over the service tables: block by block in passes, not in one. Short loops over few arrays keep their values in registers,
 * and the lookups of many packets wait for memory together. What a row of the map says is read once, where the packet is looked up, and
 * handed on in the order of the packets.
 *
 * What V8 makes of them decides how they are written. No loop calls out: after a call every array would have to be loaded anew. A loop
 * within a loop would keep the outer one from being peeled, and then each packet checks anew what does not change. Columns come in as
 * parameters: code for a loop that has run but once knows nothing yet of an object's properties read before it, is thrown away, and comes
 * back in a slower form.
 */
import { ENTRANCE_PREROUTING } from "../packet/batch.js";
import { CtState } from "../packet/connection.js";
import {
  BackendFlag,
  guessBackend,
  hashPorts,
  hashService,
  isBackendOf,
  MOST_TESTS,
  pickBackend,
  SERVICE_WORDS,
  type ServiceTables,
  slotOf,
} from "./compile/services.js";
import { drawBits } from "./draw.js";
import { OutcomeFlag, VERDICT_ACCEPT } from "./outcome-batch.js";

/** Packets a batch is worked on at a time: the scratch of a block stays in the first-level cache. */
export const BLOCK = 1024;

/** Source tests by number: of 0 to MOST_TESTS, whether used or not, so that no number needs a check. */
const TEST_NUMBERS = MOST_TESTS + 1;

/** What the passes hand on to each other, by the place of a packet in its block. */
export interface Scratch {
  /** Count of backends | offset of the pick << 16, as in the map; 0 where no backend is to be picked. */
  readonly choices: Int32Array;
  /** Before the choice the first backend, after it the chosen one. */
  readonly backends: Int32Array;
  /** The number of the source test. */
  readonly tests: Uint8Array;
  /** Places of packets whose backend was not the guessed one. */
  readonly misguessed: Int32Array;
}

export interface Passes {
  /**
   * Finds the service of packets `from` to `to`, by their columns. Those without a pick are written to `left` from `leftOver` on; gives the
   * new `leftOver`.
   */
  lookUp(
    dst: Uint32Array,
    protocol: Uint8Array,
    dport: Uint16Array,
    mark: Uint32Array,
    state: Uint8Array,
    status: Uint8Array,
    entrance: Uint8Array,
    from: number,
    to: number,
    left: Int32Array,
    leftOver: number,
  ): number;
  /** Picks a backend for each packet by a draw named by its id, under a key of `drawKey`. Gives for how many there was a choice. */
  choose(id: Uint32Array, key: number, from: number, to: number): number;
  /** Writes the outcome of each packet a backend was picked for, to the columns of outcomes. */
  write(
    src: Uint32Array,
    verdict: Uint8Array,
    flags: Uint8Array,
    dst: Uint32Array,
    dport: Uint16Array,
    mark: Uint32Array,
    from: number,
    to: number,
  ): void;
}

export function makeScratch(): Scratch {
  return {
    choices: new Int32Array(BLOCK),
    backends: new Int32Array(BLOCK),
    tests: new Uint8Array(BLOCK),
    misguessed: new Int32Array(BLOCK),
  };
}

let copies = 0;

/**
 * The passes for one set of tables. Each set gets a copy of the code of its own, made from its text: V8 then compiles the tables in
 * as constants, and a second set in the same process does not slow down the first. No two texts are equal, as V8 gives equal texts the
 * same code.
 */
export function makePasses(tables: ServiceTables, scratch: Scratch): Passes {
  const copy = new Function(`"use strict"; return ${build.toString()}; // ${copies++}`)() as typeof build;
  const tests = {
    value: new Int32Array(TEST_NUMBERS),
    mask: new Int32Array(TEST_NUMBERS),
    negate: new Int32Array(TEST_NUMBERS),
  };
  tables.sourceTests.forEach(({ value, mask, negate }, number) => {
    tests.value[number] = value;
    tests.mask[number] = mask;
    tests.negate[number] = Number(negate);
  });
  return copy(tables, tests, scratch, {
    hashPorts,
    hashService,
    slotOf,
    guessBackend,
    isBackendOf,
    pickBackend,
    drawBits,
    SERVICE_WORDS,
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
  readonly hashPorts: typeof hashPorts;
  readonly hashService: typeof hashService;
  readonly slotOf: typeof slotOf;
  readonly guessBackend: typeof guessBackend;
  readonly isBackendOf: typeof isBackendOf;
  readonly pickBackend: typeof pickBackend;
  readonly drawBits: typeof drawBits;
  readonly SERVICE_WORDS: number;
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
  const { map, seeds, bucketShift, slotShift, backends, bounds } = tables;
  const markUnmarked = tables.markUnmarked | 0;
  const marks = (tables.markUnmarked ^ tables.markMarked) | 0;
  const { value: testValue, mask: testMask, negate: testNegate } = tests;
  const { choices, backends: chosen, tests: testOf, misguessed } = scratch;
  const { hashPorts: portsOf, hashService: hashOf, slotOf: slot, drawBits: bits } = code;
  const { guessBackend: guess, isBackendOf: holds, pickBackend: pick } = code;
  const { SERVICE_WORDS: WORDS, NEW, PREROUTING, ACCEPT, HAIRPIN_BIT, BACKEND_LOCAL, BACKEND_FULLY_RANDOM } = code;
  const { DNAT, LOCAL, MASQUERADE, FULLY_RANDOM } = code;

  return {
    lookUp(dst, protocol, dport, mark, state, status, entrance, from, to, left, leftOver) {
      for (let i = from; i < to; i++) {
        const address = dst[i]! | 0;
        const key = (protocol[i]! << 16) | dport[i]!;
        const ports = portsOf(key);
        const hash = hashOf(address, ports);
        const row = WORDS * slot(hash, ports, seeds[hash >>> bucketShift]!, slotShift);
        const found = map[row + 1]!;
        const choice = map[row + 3]!;
        // 0 for a new connection that comes in to the destination of the row. A later packet of one without a reply has a status.
        const other =
          (map[row]! ^ address) |
          ((found ^ key) & 0xffffff) |
          (state[i]! ^ NEW) |
          status[i]! |
          (entrance[i]! ^ PREROUTING) |
          mark[i]!;
        if (other !== 0 || (choice & 0xffff) === 0) {
          left[leftOver++] = i;
          choices[i - from] = 0;
        } else {
          choices[i - from] = choice;
          chosen[i - from] = map[row + 2]!;
          testOf[i - from] = found >>> 24;
        }
      }
      return leftOver;
    },

    choose(id, key, from, to) {
      let draws = 0;
      let wrong = 0;
      for (let n = 0; n < to - from; n++) {
        const choice = choices[n]!;
        const count = choice & 0xffff;
        if (count < 2) continue;
        const draw = bits(key, id[from + n]! | 0);
        const k = guess(count, draw);
        if (holds(bounds, choice >>> 16, k, draw)) chosen[n] = chosen[n]! + k;
        else misguessed[wrong++] = n;
        draws++;
      }
      for (let m = 0; m < wrong; m++) {
        const n = misguessed[m]!;
        const choice = choices[n]!;
        chosen[n] = chosen[n]! + pick(bounds, choice >>> 16, choice & 0xffff, bits(key, id[from + n]! | 0));
      }
      return draws;
    },

    write(src, verdict, outFlags, dst, dport, mark, from, to) {
      verdict.fill(ACCEPT, from, to);
      if (marks === 0) mark.fill(markUnmarked, from, to);
      for (let i = from; i < to; i++) {
        if (choices[i - from] === 0) continue;
        const backend = 2 * chosen[i - from]!;
        const test = testOf[i - from]!;
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
        outFlags[i] =
          DNAT |
          (flags & BACKEND_LOCAL ? LOCAL : 0) |
          (masquerade * MASQUERADE) |
          (flags & BACKEND_FULLY_RANDOM ? masquerade * FULLY_RANDOM : 0);
        dst[i] = address;
        dport[i] = rest;
        if (marks !== 0) mark[i] = markUnmarked ^ (marks & -marked);
      }
    },
  };
}
