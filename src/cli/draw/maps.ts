/**
 * The compiled tables as `bpftool -p map dump` prints maps: a list of {key, value} in bytes, each with its `formatted` form. The
 * bytes are those the engine runs on (int32, little-endian; a bound is stored with its highest bit turned), cut out of the rows that engine/compile/services.ts describes.
 */
import { formatAddress } from "../../packet/address.js";
import { protocolName } from "../../packet/protocol.js";
import {
  BackendFlag,
  KEY_MASK,
  readServiceRow,
  SERVICE_WORDS,
  type ServiceTables,
  SIGN,
} from "../../engine/compile/services.js";

interface MapElement {
  readonly key: readonly string[];
  readonly value: readonly string[];
  readonly formatted: { readonly key: unknown; readonly value: unknown };
}

/** The maps by name: what a packet is looked up in, what is picked from, with which weights, and the tests of the source. */
export interface Maps {
  readonly services: readonly MapElement[];
  readonly backends: readonly MapElement[];
  readonly picks: readonly MapElement[];
  readonly source_tests: readonly MapElement[];
}

const KEY_WORDS = 2;
const BACKEND_WORDS = 2;

export function dumpMaps(tables: ServiceTables): Maps {
  return {
    services: serviceElements(tables),
    backends: elementsOf(tables.backends, BACKEND_WORDS, (words) => ({
      address: formatAddress(words[0]! >>> 0),
      port: words[1]! & 0xffff,
      flags: flagNames(words[1]! >>> 16),
    })),
    picks: elementsOf(tables.bounds, 1, (words) => ({ bound: (words[0]! ^ SIGN) >>> 0 })),
    source_tests: elementsOf(
      Int32Array.from(tables.sourceTests.flatMap(({ value, mask, negate }) => [value, mask, Number(negate)])),
      3,
      (words) => ({
        value: formatAddress(words[0]! >>> 0),
        mask: formatAddress(words[1]! >>> 0),
        negate: words[2] === 1,
      }),
    ),
  };
}

/** The hash map: its rows that are in use, in the order of their slots. */
function serviceElements(tables: ServiceTables): MapElement[] {
  const { map } = tables;
  const elements: MapElement[] = [];
  for (let row = 0; row < map.length; row += SERVICE_WORDS) {
    const service = readServiceRow(tables, row);
    if (service === undefined) continue;
    const words = map.subarray(row, row + SERVICE_WORDS);
    const [address, key] = words as unknown as number[];
    const { first, count, pick, test, record } = service;
    const { chain, verdict } = record;
    elements.push({
      key: bytesOf(words.subarray(0, KEY_WORDS)),
      value: bytesOf(words.subarray(KEY_WORDS)),
      formatted: {
        key: {
          address: formatAddress(address! >>> 0),
          port: key! & 0xffff,
          protocol: protocolName((key! & KEY_MASK) >>> 16),
        },
        value: {
          first,
          count,
          pick,
          source_test: test,
          kind: count > 0 ? "pick" : verdict,
          ...(chain === undefined ? {} : { chain }),
        },
      },
    });
  }
  return elements;
}

/** An array map: the index is the key. */
function elementsOf(
  words: Int32Array | Uint32Array,
  width: number,
  format: (words: Int32Array | Uint32Array) => unknown,
): MapElement[] {
  return Array.from({ length: words.length / width }, (_, index) => {
    const own = words.subarray(index * width, (index + 1) * width);
    return {
      key: bytesOf(Int32Array.of(index)),
      value: bytesOf(own),
      formatted: { key: index, value: format(own) },
    };
  });
}

export function flagNames(flags: number): string[] {
  return Object.entries(BackendFlag)
    .filter(([, bit]) => (flags & bit) !== 0)
    .map(([name]) => name);
}

/** `0x0a` and so on, little-endian on every machine. */
function bytesOf(words: Int32Array | Uint32Array): string[] {
  const bytes: string[] = [];
  for (const word of words)
    for (let shift = 0; shift < 32; shift += 8)
      bytes.push(`0x${((word >>> shift) & 255).toString(16).padStart(2, "0")}`);
  return bytes;
}

/** A map as bpftool prints it: one element after the other, bytes in one line each. */
export function printMap(elements: readonly MapElement[]): string {
  if (elements.length === 0) return "[]";
  const list = (words: readonly string[]): string => `[${words.map((word) => JSON.stringify(word)).join(",")}]`;
  const one = ({ key, value, formatted }: MapElement): string =>
    `{\n        "key": ${list(key)},\n        "value": ${list(value)},\n        "formatted": ${JSON.stringify(formatted)}\n    }`;
  return `[${elements.map(one).join(",")}\n]`;
}
