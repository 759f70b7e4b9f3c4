/**
 * One lookup of a service by destination in three kinds of map. Each is one function that uses nothing but its parameters: it can be copied by its
 * text, so that V8 compiles the tables of one rule set into it, or shared by all rule sets of the process.
 */
import { hashPorts, hashService, SCTP, SERVICE_WORDS, type ServiceTables, slotOf, TCP, UDP } from "../../src/index.js";
import { hashOpen, openAddressing } from "./open-addressing.js";

/** Destinations as columns. */
export interface Destinations {
  readonly dst: Uint32Array;
  readonly protocol: Uint8Array;
  readonly dport: Uint16Array;
  readonly count: number;
}

/** Looks up a batch; the sum of the first backends of what was found (int32), less one for each destination that is no service. */
export type LookUp = (destinations: Destinations) => number;

function perfect(tables: ServiceTables, code: typeof PERFECT): LookUp {
  const { map, seeds, slotShift } = tables;
  const { hashPorts: portsOf, hashService: hashOf, slotOf: slot, WORDS } = code;
  return ({ dst, protocol, dport, count }) => {
    let sum = 0;
    for (let i = 0; i < count; i++) {
      const address = dst[i]! | 0;
      const key = (protocol[i]! << 16) | dport[i]!;
      const ports = portsOf(key);
      const hash = hashOf(address, ports);
      const row = WORDS * slot(hash, ports, seeds[hash >>> slotShift]!, slotShift);
      const other = (map[row]! ^ address) | ((map[row + 1]! ^ key) & 0xffffff);
      sum = (sum + (other === 0 ? map[row + 2]! : -1)) | 0;
    }
    return sum;
  };
}
const PERFECT = { hashPorts, hashService, slotOf, WORDS: SERVICE_WORDS };

function open({ map, slotMask }: ReturnType<typeof openAddressing>, code: typeof OPEN): LookUp {
  const { hashOpen: hashOf, WORDS } = code;
  return ({ dst, protocol, dport, count }) => {
    let sum = 0;
    for (let i = 0; i < count; i++) {
      const address = dst[i]! | 0;
      const key = (protocol[i]! << 16) | dport[i]!;
      let slot = hashOf(address, key) & slotMask;
      for (;;) {
        const row = WORDS * slot;
        const held = map[row + 1]!;
        if ((held & 0xffffff) === key && map[row] === address) {
          sum = (sum + map[row + 2]!) | 0;
          break;
        }
        if (held === 0) {
          sum = (sum - 1) | 0;
          break;
        }
        slot = (slot + 1) & slotMask;
      }
    }
    return sum;
  };
}
const OPEN = { hashOpen, WORDS: SERVICE_WORDS };

function keyed(map: ReadonlyMap<number, number>): LookUp {
  return ({ dst, protocol, dport, count }) => {
    let sum = 0;
    for (let i = 0; i < count; i++)
      sum = (sum + (map.get(dst[i]! * 0x40000 + ((KINDS[protocol[i]!]! << 16) | dport[i]!)) ?? -1)) | 0;
    return sum;
  };
}

/** Protocols of services in two bits, so that a key is exact as a double: 3 is none of them. */
const KINDS = Uint8Array.from({ length: 256 }, (_, protocol) => {
  const kind = [TCP, UDP, SCTP].indexOf(protocol);
  return kind < 0 ? 3 : kind;
});

/** What a Map holds, read from the tables so that all maps give the same. */
function keysOf({ map }: ServiceTables): Map<number, number> {
  const keys = new Map<number, number>();
  for (let row = 0; row < map.length; row += SERVICE_WORDS)
    if (map[row + 1] !== 0)
      keys.set(
        (map[row]! >>> 0) * 0x40000 + ((KINDS[(map[row + 1]! >>> 16) & 0xff]! << 16) | (map[row + 1]! & 0xffff)),
        map[row + 2]!,
      );
  return keys;
}

let copies = 0;

function copyOf<F extends (...parameters: never[]) => LookUp>(make: F): F {
  return new Function(`"use strict"; return ${make.toString()}; // ${copies++}`)() as F;
}

/** The maps by name. */
export const serviceMaps: ReadonlyMap<string, (tables: ServiceTables) => LookUp> = new Map([
  ["perfect-hash", (tables: ServiceTables) => copyOf(perfect)(tables, PERFECT)],
  ["perfect-hash-shared", (tables: ServiceTables) => perfect(tables, PERFECT)],
  ["open-addressing", (tables: ServiceTables) => copyOf(open)(openAddressing(tables), OPEN)],
  ["open-addressing-shared", (tables: ServiceTables) => open(openAddressing(tables), OPEN)],
  ["number-map", (tables: ServiceTables) => keyed(keysOf(tables))],
]);
