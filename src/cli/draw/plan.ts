/** A compiled plan as JSON: the canonical dump. */
import { addressWords, formatAddress } from "../../packet/address.js";
import { prefixLength } from "../../packet/prefix.js";
import { protocolName } from "../../packet/protocol.js";
import type { Plan } from "../../engine/compile/compile.js";
import type { ChainIndex } from "../../engine/compile/chain-index.js";
import {
  readServiceRow,
  SERVICE_WORDS,
  type ServiceTables,
  SIGN,
  type SourceTest,
} from "../../engine/compile/services.js";
import type { ResolvedChain } from "../../ruleset/resolve.js";
import { flagNames } from "./maps.js";

export interface DumpedService {
  readonly address: string;
  readonly port: number;
  readonly protocol: string;
  readonly kind: "pick" | "accept" | "drop" | "reject";
  readonly rejectWith: string | null;
  readonly chain: string | null;
  readonly sourceTest: string | null;
  readonly backends: readonly DumpedBackend[];
}

export interface DumpedBackend {
  readonly address: string;
  readonly port: number;
  /** Of 2^32. */
  readonly weight: number;
  /** Of 2^31, of what the earlier backends left. */
  readonly threshold: number;
  readonly flags: readonly string[];
}

export interface DumpedIndex {
  readonly table: string;
  readonly chain: string;
  readonly rules: number;
  /** Whether packets get to it; a chain they do not get to is left out of all that follows. */
  readonly reached: boolean;
  /** Rules (from 1) that no packet gets to, as an earlier one takes all of theirs. */
  readonly shadowed: readonly number[];
  /** Null where the chain is walked rule by rule. */
  readonly lookups: readonly string[] | null;
}

/** The plan in its canonical form: services by address, protocol and port; tables in the order of the rule set, their chains by name. */
export interface DumpedPlan {
  readonly node: readonly string[];
  readonly rules: number;
  readonly chains: readonly DumpedIndex[];
  readonly services: readonly DumpedService[];
  readonly marks: { readonly unmarked: number; readonly marked: number };
  /** Bytes of typed arrays, as far as they are in use. */
  readonly bytes: Readonly<Record<"columns" | "serviceMap" | "backends" | "picks", number>>;
}

export function dumpPlan(plan: Plan): DumpedPlan {
  const { resolved, node, tables, columns } = plan;
  const services = dumpServices(plan);
  const backends = services.reduce((sum, service) => sum + service.backends.length, 0);
  return {
    node: node.addresses.map(formatAddress),
    rules: resolved.chains.reduce((sum, { rules }) => sum + rules.length, 0),
    chains: resolved.ruleset.tables.flatMap((table) =>
      resolved.chains
        .filter((chain) => chain.table.family === table.family && chain.table.name === table.name)
        .map((chain) => dumpChain(chain, plan))
        .sort((a, b) => (a.chain < b.chain ? -1 : 1)),
    ),
    services,
    marks: { unmarked: tables.markUnmarked, marked: tables.markMarked },
    bytes: {
      columns: columns.bytes,
      serviceMap: tables.map.byteLength + tables.seeds.byteLength,
      backends: backends * BACKEND_BYTES,
      picks: choicesOf(tables) * PICK_BYTES,
    },
  };
}

export const BACKEND_BYTES = 8;
/** A bound, a doubt and a threshold. */
export const PICK_BYTES = 16;

function dumpChain({ id, table, name, rules }: ResolvedChain, { pruned, indexes }: Plan): DumpedIndex {
  return {
    table: table.name,
    chain: name,
    rules: rules.length,
    reached: pruned.reached[id] === 1,
    shadowed: rules.filter((rule) => pruned.shadowed.has(rule)).map((rule) => rule.number),
    lookups: indexes[id]?.signatures.map(signatureText) ?? null,
  };
}

/** The rows of `bounds` that some service picks by. */
function choicesOf(tables: ServiceTables): number {
  const lengths = new Map<number, number>();
  for (let row = 0; row < tables.map.length; row += SERVICE_WORDS) {
    const service = readServiceRow(tables, row);
    if (service !== undefined && service.count > 0) lengths.set(service.pick, service.count);
  }
  return [...lengths.values()].reduce((sum, count) => sum + count, 0);
}

function dumpServices({ tables }: Plan): DumpedService[] {
  const { map, backends, bounds, thresholds, sourceTests } = tables;
  const found: { order: number[]; service: DumpedService }[] = [];
  for (let row = 0; row < map.length; row += SERVICE_WORDS) {
    const service = readServiceRow(tables, row);
    if (service === undefined) continue;
    const { first, count, pick, test } = service;
    const { address, port, protocol, verdict, rejectWith, chain } = service.record;
    const own = Array.from({ length: count }, (_, k): DumpedBackend => {
      const at = 2 * (first + k);
      const before = k === 0 ? -1 : (bounds[pick + k - 1]! ^ SIGN) >>> 0;
      return {
        address: formatAddress(backends[at]! >>> 0),
        port: backends[at + 1]! & 0xffff,
        weight: ((bounds[pick + k]! ^ SIGN) >>> 0) - before,
        threshold: thresholds[pick + k]!,
        flags: flagNames(backends[at + 1]! >>> 16),
      };
    });
    found.push({
      order: [address >>> 0, protocol, port],
      service: {
        address: formatAddress(address >>> 0),
        port,
        protocol: protocolName(protocol),
        kind: count > 0 ? "pick" : verdict,
        rejectWith: rejectWith ?? null,
        chain: chain ?? null,
        sourceTest: test === 0 ? null : sourceTestText(sourceTests[test]!),
        backends: own,
      },
    });
  }
  const compare = (a: number[], b: number[]): number => a[0]! - b[0]! || a[1]! - b[1]! || a[2]! - b[2]!;
  return found.sort((a, b) => compare(a.order, b.order)).map(({ service }) => service);
}

/** `! 10.0.0.0/8` */
export function sourceTestText({ value, mask, negate }: SourceTest): string {
  const length = prefixLength(mask >>> 0);
  return `${negate ? "! " : ""}${formatAddress(value >>> 0)}/${length >= 0 ? length : formatAddress(mask >>> 0)}`;
}

/** The fields a hash table of a chain is keyed by: `dst/32 protocol dport`. */
function signatureText(signature: ChainIndex["signatures"][number]): string {
  const { dstMask, srcMask, protocol, sport, dport } = signature;
  const prefix = (name: string, words: readonly number[]): string[] => {
    if (words.every((word) => word === 0)) return [];
    const mask =
      words.length === 1 ? words[0]! >>> 0 : ([...words] as unknown as readonly [number, number, number, number]);
    const length = prefixLength(mask);
    return [
      `${name}/${
        length >= 0
          ? length
          : addressWords(mask)
              .map((word) => word.toString(16))
              .join(":")
      }`,
    ];
  };
  return [
    ...prefix("dst", dstMask),
    ...prefix("src", srcMask),
    ...(protocol ? ["protocol"] : []),
    ...(sport ? ["sport"] : []),
    ...(dport ? ["dport"] : []),
  ].join(" ");
}
