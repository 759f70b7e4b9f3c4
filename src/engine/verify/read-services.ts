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
  /** The last u32 that falls to each backend. */
  readonly bounds: readonly number[];
  readonly thresholds: readonly number[];
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
      bounds: count > 1 ? bounds : [],
      thresholds: at.map((k) => tables.thresholds[pick + k] ?? 0),
    });
  }
  return services;
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
