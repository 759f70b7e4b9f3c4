/**
 * The hot loops over the service tables: block by block in passes, not in one. Short loops over few arrays keep their values in registers,
 * and the lookups of many packets wait for memory together: the shorter the loop, the more of them. What a row of the map says is read once,
 * where the packet is looked up, and handed on in the order of the packets. Tables larger than a core's cache are read ahead, in loops that do nothing else.
 *
 * What V8 makes of them decides how they are written. No loop calls out: after a call every array would have to be loaded anew. No loop
 * branches on what differs from packet to packet, but on what is rare. Columns come in as parameters: where an object is taken apart
 * before a loop, the loop's code may be thrown away when it first runs, and come back in a slower form. Constants of other modules do too:
 * loading one costs a check each time. An access to a column costs three times what one to the scratch does: V8 knows a parameter's kind, length and
 * place anew at every turn, and those of a constant once and for all. So a column is read once, and outcomes are copied to theirs a block at a
 * time. `settle` is not two functions: small ones are compiled into their caller as well, where the tables
 * are no constants, and whether they are depends on what else the engine was used for.
 */
import { ENTRANCE_PREROUTING, type PacketBatch } from "../packet/batch.js";
import { CtState } from "../packet/connection.js";
import {
  BackendFlag,
  guessBackend,
  hashPorts,
  hashService,
  isGuessCertain,
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

/** int32 of an array that fits the second-level cache of a core, 1 MB. What is larger is read ahead. */
const CACHED = 2 ** 18;

/** Source tests by number: of 0 to MOST_TESTS, whether used or not, so that no number needs a check. */
const TEST_NUMBERS = MOST_TESTS + 1;

/** What the passes hand on to each other, by the place of a packet in its block. */
export interface Scratch {
  /** The key: destination, and port | protocol << 16. */
  readonly addresses: Int32Array;
  readonly ports: Int32Array;
  /** Count of backends | offset of the pick << 16, as in the map; 0 where no backend is to be picked. */
  readonly choices: Int32Array;
  /** First the row of the map where the packet's key can stand, once looked up the first backend, and at last the chosen one. */
  readonly backends: Int32Array;
  /** The number of the source test. */
  readonly tests: Int32Array;
  /** Places of packets whose backend is not certain to be the guessed one. */
  readonly doubtful: Int32Array;
  /** Packets no backend was picked for. */
  readonly unpicked: Int32Array;
  /** Columns of the outcomes. */
  readonly flags: Uint8Array;
  readonly dst: Uint32Array;
  readonly dport: Uint16Array;
  /** Element 0: the draws of a block. Element 1: of what was read ahead, so that it is read at all. */
  readonly draws: Int32Array;
}

export interface Passes {
  /** Finds the service of packets `from` to `to`, by their columns. */
  lookUp(dst: Uint32Array, protocol: Uint8Array, dport: Uint16Array, from: number, to: number): void;
  /**
   * Where `drawing`, picks a backend for each packet by a draw named by its id, under a key of `drawKey`. Writes the outcome of each packet a
   * backend is picked for, to the columns of outcomes. The others, whose outcomes mean nothing yet, are written to `left` from `leftOver` on; gives
   * the new `leftOver`.
   */
  settle(
    drawing: boolean,
    id: Uint32Array,
    key: number,
    src: Uint32Array,
    verdict: Uint8Array,
    flags: Uint8Array,
    dst: Uint32Array,
    dport: Uint16Array,
    mark: Uint32Array,
    from: number,
    to: number,
    left: Int32Array,
    leftOver: number,
  ): number;
}

export function makeScratch(): Scratch {
  return {
    addresses: new Int32Array(BLOCK),
    ports: new Int32Array(BLOCK),
    choices: new Int32Array(BLOCK),
    backends: new Int32Array(BLOCK),
    tests: new Int32Array(BLOCK),
    doubtful: new Int32Array(BLOCK),
    unpicked: new Int32Array(BLOCK),
    flags: new Uint8Array(BLOCK),
    dst: new Uint32Array(BLOCK),
    dport: new Uint16Array(BLOCK),
    draws: new Int32Array(2),
  };
}

/** In each byte of a word. */
const EACH = 0x01010101;

/**
 * Whether packets `from` to `to` are all new to conntrack and came in unmarked: only those are looked up in the service map. Four at a time;
 * false where the last four are not full.
 */
export function areFirst(
  { mark, stateWords, statusWords, entranceWords }: PacketBatch,
  from: number,
  to: number,
): boolean {
  return (to & 3) === 0 && differences(mark, stateWords, statusWords, entranceWords, from, to) === 0;
}

/** All bits in which some packet differs from a first one. A later packet of a connection without a reply has a status. */
function differences(
  mark: Uint32Array,
  states: Int32Array,
  statuses: Int32Array,
  entrances: Int32Array,
  from: number,
  to: number,
): number {
  let bits = 0;
  for (let i = from; i < to; i += 4) {
    const word = i >> 2;
    bits |=
      (states[word]! ^ (CtState.new * EACH)) | statuses[word]! | (entrances[word]! ^ (ENTRANCE_PREROUTING * EACH));
    bits |= mark[i]! | mark[i + 1]! | mark[i + 2]! | mark[i + 3]!;
  }
  return bits;
}

/** Takes their choice from packets that are not new to conntrack, or did not come in unmarked. */
export function screen(
  { mark, state, status, entrance }: PacketBatch,
  { choices }: Scratch,
  from: number,
  to: number,
): void {
  for (let i = from; i < to; i++) {
    const first = state[i] === CtState.new && status[i] === 0 && entrance[i] === ENTRANCE_PREROUTING && mark[i] === 0;
    if (!first) choices[i - from] = 0;
  }
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
  return copy(tables, tests, outcomeFlags(), scratch, {
    hashPorts,
    hashService,
    slotOf,
    guessBackend,
    isGuessCertain,
    pickBackend,
    drawBits,
    SERVICE_WORDS,
    ACCEPT: VERDICT_ACCEPT,
    HAIRPIN_BIT: 31 - Math.clz32(BackendFlag.hairpin),
    IN_BLOCK: BLOCK - 1,
    CACHED,
    OUTCOME_FLAGS,
  });
}

const OUTCOME_FLAGS = 32;

/** The flags of an outcome by those of the backend and whether the packet is marked. */
function outcomeFlags(): Int32Array {
  return Int32Array.from({ length: OUTCOME_FLAGS }, (_, index) => {
    const flags = index >>> 1;
    const masquerade = flags & ((index & 1) === 0 ? BackendFlag.masqueradeUnmarked : BackendFlag.masqueradeMarked);
    return (
      OutcomeFlag.dnat |
      (flags & BackendFlag.local ? OutcomeFlag.local : 0) |
      (masquerade ? OutcomeFlag.masquerade : 0) |
      (masquerade && flags & BackendFlag.fullyRandom ? OutcomeFlag.fullyRandom : 0)
    );
  });
}

interface Code {
  readonly hashPorts: typeof hashPorts;
  readonly hashService: typeof hashService;
  readonly slotOf: typeof slotOf;
  readonly guessBackend: typeof guessBackend;
  readonly isGuessCertain: typeof isGuessCertain;
  readonly pickBackend: typeof pickBackend;
  readonly drawBits: typeof drawBits;
  readonly SERVICE_WORDS: number;
  readonly ACCEPT: number;
  readonly HAIRPIN_BIT: number;
  readonly IN_BLOCK: number;
  readonly CACHED: number;
  readonly OUTCOME_FLAGS: number;
}

/** Uses nothing but its parameters: it is copied by its text. */
function build(
  tables: ServiceTables,
  tests: { readonly value: Int32Array; readonly mask: Int32Array; readonly negate: Int32Array },
  outcomeFlags: Int32Array,
  scratch: Scratch,
  code: Code,
): Passes {
  const { map, seeds, slotShift, backends, doubts: doubtOf } = tables;
  const markUnmarked = tables.markUnmarked | 0;
  const marks = (tables.markUnmarked ^ tables.markMarked) | 0;
  const { value: testValue, mask: testMask, negate: testNegate } = tests;
  const { addresses, ports, choices, backends: chosen, tests: testOf, doubtful, unpicked, draws } = scratch;
  const { flags: flagsOf, dst: dstOf, dport: dportOf } = scratch;
  const { hashPorts: portsOf, hashService: hashOf, slotOf: slot, drawBits: bits } = code;
  const { guessBackend: guess, isGuessCertain: certain, pickBackend: pick } = code;
  const { SERVICE_WORDS: WORDS, IN_BLOCK, CACHED, ACCEPT, HAIRPIN_BIT, OUTCOME_FLAGS } = code;

  /** Reads where a pass will read, in a loop so short that a core waits for a dozen packets' memory at once. */
  const readAhead = (array: Int32Array, words: number, count: number): void => {
    let read = 0;
    for (let n = 0; n < count; n++) read ^= array[words * chosen[n]!]!;
    draws[1] = read;
  };

  return {
    lookUp(dst, protocol, dport, from, to) {
      for (let i = from | 0; i < to; i++) {
        const n = i & IN_BLOCK;
        const address = dst[i]! | 0;
        const port = (protocol[i]! << 16) | dport[i]!;
        const portsHash = portsOf(port);
        const hash = hashOf(address, portsHash);
        addresses[n] = address;
        ports[n] = port;
        chosen[n] = WORDS * slot(hash, portsHash, seeds[hash >>> slotShift]!, slotShift);
      }
      const count = (to - from) | 0;
      if (map.length > CACHED) readAhead(map, 1, count);
      for (let n = 0; n < count; n++) {
        const row = chosen[n]!;
        const found = map[row + 1]!;
        const other = (map[row]! ^ addresses[n]!) | ((found ^ ports[n]!) & 0xffffff);
        choices[n] = map[row + 3]! & ~((other | -other) >> 31);
        chosen[n] = map[row + 2]!;
        testOf[n] = found >>> 24;
      }
    },

    settle(drawing, id, key, src, verdict, outFlags, dst, dport, mark, from, to, left, leftOver) {
      if (drawing) {
        let drawn = 0;
        let doubts = 0;
        for (let i = from | 0; i < to; i++) {
          const n = i & IN_BLOCK;
          const choice = choices[n]!;
          const count = choice & 0xffff;
          const more = (1 - count) >>> 31; // 1 where there is a choice
          const draw = bits(key, id[i]! | 0);
          chosen[n] = chosen[n]! + guess(count, draw);
          doubtful[doubts] = n;
          doubts += certain(doubtOf[choice >>> 16]!, count, draw) ? 0 : more;
          drawn += more;
        }
        for (let m = 0; m < doubts; m++) {
          const n = doubtful[m]!;
          const count = choices[n]! & 0xffff;
          const draw = bits(key, id[from + n]! | 0);
          chosen[n] = chosen[n]! - guess(count, draw) + pick(tables, choices[n]! >>> 16, count, draw);
        }
        draws[0] = drawn;
      }
      if (backends.length > CACHED) readAhead(backends, 2, to - from);
      verdict.fill(ACCEPT, from, to);
      if (marks === 0) mark.fill(markUnmarked, from, to);
      let others = 0;
      for (let i = from | 0; i < to; i++) {
        const n = i & IN_BLOCK;
        unpicked[others] = i;
        if ((choices[n]! & 0xffff) === 0) {
          others = others + 1;
          continue;
        }
        const backend = 2 * chosen[n]!;
        const test = testOf[n]!;
        const address = backends[backend]!;
        const rest = backends[backend + 1]!;
        const flags = rest >>> 16;
        const source = src[i]! | 0;
        // Without branches, as sources inside and outside of a prefix come mixed: 0 turned into 1, all else into 0.
        const off = (source & testMask[test]!) ^ testValue[test]!;
        const other = source ^ address;
        const marked =
          (((off | -off) >>> 31) ^ 1 ^ testNegate[test]!) | ((((other | -other) >>> 31) ^ 1) & (flags >>> HAIRPIN_BIT));
        flagsOf[n] = outcomeFlags[((flags << 1) | marked) & (OUTCOME_FLAGS - 1)]!;
        dstOf[n] = address;
        dportOf[n] = rest;
        if (marks !== 0) mark[i] = markUnmarked ^ (marks & -marked);
      }
      if (to - from === IN_BLOCK + 1) {
        outFlags.set(flagsOf, from);
        dst.set(dstOf, from);
        dport.set(dportOf, from);
      } else
        for (let i = from | 0; i < to; i++) {
          const n = i & IN_BLOCK;
          outFlags[i] = flagsOf[n]!;
          dst[i] = dstOf[n]!;
          dport[i] = dportOf[n]!;
        }
      for (let n = 0; n < others; n++) left[leftOver + n] = unpicked[n]!;
      return leftOver + others;
    },
  };
}
