/** A compiled plan: the canonical dump, and its stages as text. */
import { addressWords, formatAddress } from "../../packet/address.js";
import { prefixLength } from "../../packet/prefix.js";
import { protocolName } from "../../packet/protocol.js";
import type { Plan } from "../../engine/compile/compile.js";
import type { ChainIndex } from "../../engine/compile/partition.js";
import { readServiceRow, SERVICE_WORDS, SIGN } from "../../engine/compile/services.js";
import { drawTable, formatCount } from "../../report/table.js";
import { flagNames } from "./maps.js";

export const STAGES = ["resolve", "partition", "fuse", "layout"] as const;
export type StageName = (typeof STAGES)[number];

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
  /** Null where the chain is walked rule by rule. */
  readonly lookups: readonly string[] | null;
}

/** The plan in its canonical form: services by address, protocol and port; chains in the order of the rule set. */
export interface DumpedPlan {
  readonly node: readonly string[];
  readonly rules: number;
  readonly chains: readonly DumpedIndex[];
  readonly services: readonly DumpedService[];
  readonly marks: { readonly unmarked: number; readonly marked: number };
  /** Bytes of typed arrays. */
  readonly bytes: Readonly<Record<"columns" | "serviceMap" | "backends" | "picks", number>>;
}

export function dumpPlan(plan: Plan): DumpedPlan {
  const { resolved, node, indexes, tables, columns } = plan;
  return {
    node: node.addresses.map(formatAddress),
    rules: resolved.rules.length,
    chains: resolved.chains.map(({ id, table, name, rules }) => ({
      table: table.name,
      chain: name,
      rules: rules.length,
      lookups: indexes[id]?.signatures.map(signatureText) ?? null,
    })),
    services: dumpServices(plan),
    marks: { unmarked: tables.markUnmarked, marked: tables.markMarked },
    bytes: {
      columns: Object.values(columns).reduce((sum, one) => sum + (ArrayBuffer.isView(one) ? one.byteLength : 0), 0),
      serviceMap: tables.map.byteLength,
      backends: tables.backends.byteLength,
      picks: tables.bounds.byteLength + tables.thresholds.byteLength,
    },
  };
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
    const { value, mask, negate } = sourceTests[test]!;
    found.push({
      order: [address >>> 0, protocol, port],
      service: {
        address: formatAddress(address >>> 0),
        port,
        protocol: protocolName(protocol),
        kind: count > 0 ? "pick" : verdict,
        rejectWith: rejectWith ?? null,
        chain: chain ?? null,
        sourceTest:
          test === 0
            ? null
            : `${negate ? "! " : ""}${formatAddress(value >>> 0)}/${maskText(prefixLength(mask >>> 0), mask)}`,
        backends: own,
      },
    });
  }
  const compare = (a: number[], b: number[]): number => a[0]! - b[0]! || a[1]! - b[1]! || a[2]! - b[2]!;
  return found.sort((a, b) => compare(a.order, b.order)).map(({ service }) => service);
}

function maskText(length: number, mask: number): string {
  return length >= 0 ? String(length) : formatAddress(mask >>> 0);
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

/** One stage as text, or (without one) what came out of all of them. */
export function drawPlan(plan: Plan, stage: StageName | undefined): string {
  const dump = dumpPlan(plan);
  const lines = stage === undefined ? STAGES.flatMap((one) => summary[one](dump, plan)) : drawStage[stage](dump, plan);
  return lines.map((line) => `${line}\n`).join("");
}

const count = (n: number, one: string): string => `${formatCount(n)} ${one}${n === 1 ? "" : "s"}`;

const summary: Readonly<Record<StageName, (dump: DumpedPlan, plan: Plan) => string[]>> = {
  resolve: (dump, plan) => [
    `resolve    ${count(plan.resolved.ruleset.tables.length, "table")}, ${count(dump.chains.length, "chain")}, ${count(dump.rules, "rule")}`,
  ],
  partition: ({ chains }) => {
    const indexed = chains.filter(({ lookups }) => lookups !== null);
    const rules = indexed.reduce((sum, chain) => sum + chain.rules, 0);
    return [
      `partition  ${count(indexed.length, "chain")} with hash tables (${count(rules, "rule")}); the others are walked`,
    ];
  },
  fuse: ({ services }) => {
    const picks = services.filter(({ kind }) => kind === "pick").length;
    const backends = services.reduce((sum, service) => sum + service.backends.length, 0);
    return [
      `fuse       ${count(services.length, "destination")}: ${formatCount(picks)} pick among ${count(backends, "backend")}, ${formatCount(services.length - picks)} with a fixed verdict`,
    ];
  },
  layout: ({ bytes }) => [
    `layout     service map ${formatCount(bytes.serviceMap)} bytes, backend array ${formatCount(bytes.backends)}, picks ${formatCount(bytes.picks)}, rule columns ${formatCount(bytes.columns)}`,
  ],
};

const drawStage: Readonly<Record<StageName, (dump: DumpedPlan, plan: Plan) => string[]>> = {
  resolve: (_, { resolved }) =>
    drawTable(
      [
        { title: "table", align: "left" },
        { title: "chain", align: "left" },
        { title: "hook", align: "left" },
        { title: "priority", align: "right" },
        { title: "policy", align: "left" },
        { title: "rules", align: "right" },
        { title: "leads to", align: "right" },
      ],
      resolved.chains.map(({ table, name, base, rules }) => [
        table.name,
        name,
        base?.hook ?? "-",
        base === undefined ? "-" : String(base.priority),
        base?.policy ?? "-",
        String(rules.length),
        count(new Set(rules.map((rule) => rule.target?.id).filter((id) => id !== undefined)).size, "chain"),
      ]),
    ),
  partition: ({ chains }) =>
    drawTable(
      [
        { title: "table", align: "left" },
        { title: "chain", align: "left" },
        { title: "rules", align: "right" },
        { title: "hash tables keyed by", align: "left" },
      ],
      chains.map(({ table, chain, rules, lookups }) => [
        table,
        chain,
        String(rules),
        lookups?.join("; ") ?? "none: walked",
      ]),
    ),
  fuse: ({ services }) =>
    drawTable(
      [
        { title: "destination", align: "left" },
        { title: "", align: "left" },
        { title: "masquerade if source", align: "left" },
        { title: "becomes", align: "left" },
      ],
      services.map(({ address, port, protocol, kind, rejectWith, sourceTest, backends }) => [
        `${address}:${port}`,
        protocol,
        sourceTest ?? "-",
        kind === "pick" ? backendsText(backends) : `${kind}${rejectWith === null ? "" : ` with ${rejectWith}`}`,
      ]),
    ),
  layout: (dump, { tables, columns }) =>
    drawTable(
      [
        { title: "array", align: "left" },
        { title: "rows", align: "right" },
        { title: "bytes", align: "right" },
        { title: "what a row holds", align: "left" },
      ],
      [
        [
          "service map",
          formatCount(tables.map.length / SERVICE_WORDS),
          formatCount(dump.bytes.serviceMap),
          `address, port, protocol -> backends, pick, source test (${formatCount(dump.services.length)} in use)`,
        ],
        [
          "backend array",
          formatCount(tables.backends.length / 2),
          formatCount(dump.bytes.backends),
          "address, port, flags",
        ],
        ["picks", formatCount(tables.bounds.length), formatCount(dump.bytes.picks), "bound of 2^32, threshold of 2^31"],
        ["source tests", formatCount(tables.sourceTests.length), "-", "value, mask, negated"],
        [
          "rule columns",
          formatCount(columns.more.length),
          formatCount(dump.bytes.columns),
          "the head of a rule, and code for the rest",
        ],
      ],
    ),
};

/** Backends shown of one service. */
const MOST_BACKENDS = 3;

function backendsText(backends: readonly DumpedBackend[]): string {
  const shown = backends.slice(0, MOST_BACKENDS).map(({ address, port }) => `${address}:${port}`);
  const left = backends.length - shown.length;
  return `${shown.join(" ")}${left > 0 ? ` + ${left} more` : ""}`;
}
