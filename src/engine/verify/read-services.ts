/** The service tables, read word by word as services.ts lays them out, by nothing the compiler or the engine use. */
import type { ServiceRecord, ServiceTables } from "../compile/services.js";

/** A row of the service map with all it leads to. */
export interface ReadService {
  readonly address: number;
  readonly port: number;
  readonly protocol: number;
  readonly record: ServiceRecord;
  /** The test of the source: (src & mask) === value, negated. */
  readonly test: { readonly value: number; readonly mask: number; readonly negate: boolean };
  readonly backends: readonly ReadBackend[];
  /** Which draws fall to which backend, where there is a choice: runs from 0 to 2^32 - 1. */
  readonly runs: readonly DrawRun[];
  readonly thresholds: readonly number[];
}

/** Draws that fall to one backend, from the one after the run before on. */
export interface DrawRun {
  readonly last: number;
  /** The number of backends where the tables name none. */
  readonly backend: number;
}

export interface ReadBackend {
  readonly address: number;
  readonly port: number;
  readonly masqueradeUnmarked: boolean;
  readonly masqueradeMarked: boolean;
  readonly fullyRandom: boolean;
  readonly local: boolean;
  readonly hairpin: boolean;
}

export function readServices(tables: ServiceTables): ReadService[] {
  const services: ReadService[] = [];
  const words = new Uint32Array(tables.map.buffer, tables.map.byteOffset, tables.map.length);
  for (let row = 0; row < words.length; row += 4) {
    const key = words[row + 1]!;
    if (key === 0) continue;
    const first = words[row + 2]!;
    const count = words[row + 3]! % 0x10000;
    const pick = Math.floor(words[row + 3]! / 0x10000);
    const at = Array.from({ length: count }, (_, k) => k);
    const bounds = at.map((k) => ((tables.bounds[pick + k] ?? 0) + 0x80000000) >>> 0);
    services.push({
      address: words[row]!,
      port: key % 0x10000,
      protocol: Math.floor(key / 0x10000) % 0x100,
      record: tables.cold[row / 4]!,
      test: tables.sourceTests[Math.floor(key / 0x1000000)] ?? { value: 1, mask: 0, negate: false },
      backends: at.map((k) => readBackend(tables.backends, first + k)),
      runs: count > 1 ? readRuns(bounds, (tables.doubts[pick] ?? 0) >>> 0) : [],
      thresholds: at.map((k) => tables.thresholds[pick + k] ?? 0),
    });
  }
  return services;
}

/**
 * Which draws a choice sends where, as the engine takes it: to the backend guessed, floor(draw * count / 2^32), but for draws in doubt,
 * whose product lies from -doubt to doubt - 1 beyond a multiple of 2^32 (all counted modulo 2^32): those to the first backend whose bound
 * is not below them. In between no draw changes anything but at one of the edges gathered here.
 */
export function readRuns(bounds: readonly number[], doubt: number): DrawRun[] {
  const count = bounds.length;
  const end = 2 ** 32;
  const from = (end - doubt) % end;
  const width = ((2 * doubt + end - 1) % end) + 1;
  const firsts = new Set([0, ...bounds.map((bound) => bound + 1)]);
  for (let k = 0; k < count; k++)
    for (const beyond of [0, from, (from + width) % end]) firsts.add(Math.ceil((k * end + beyond) / count));
  const edges = [...firsts].filter((first) => first < end).sort((a, b) => a - b);
  const runs: { last: number; backend: number }[] = [];
  let bound = 0;
  edges.forEach((first, i) => {
    while (bound < count && first > bounds[bound]!) bound++;
    const product = first * count;
    const backend = ((product % end) + doubt) % end < width ? bound : Math.floor(product / end);
    const last = (edges[i + 1] ?? end) - 1;
    const before = runs[runs.length - 1];
    if (before?.backend === backend) before.last = last;
    else runs.push({ last, backend });
  });
  return runs;
}

function readBackend(backends: Int32Array, index: number): ReadBackend {
  const [address, rest] = [(backends[2 * index] ?? 0) >>> 0, (backends[2 * index + 1] ?? 0) >>> 0];
  const flag = (bit: number): boolean => Math.floor(rest / 2 ** (16 + bit)) % 2 === 1;
  return {
    address,
    port: rest % 0x10000,
    masqueradeUnmarked: flag(0),
    masqueradeMarked: flag(1),
    fullyRandom: flag(2),
    local: flag(3),
    hairpin: flag(4),
  };
}
