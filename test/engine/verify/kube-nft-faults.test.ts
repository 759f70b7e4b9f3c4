/** Faults of what kube-proxy writes in nftables mode, one a feature and kind: in its sets and maps, and in the service map compiled from them. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { resolve, type ResolvedRuleSet } from "../../../src/ruleset/resolve.js";
import { compile, type Plan } from "../../../src/engine/compile/compile.js";
import { Op } from "../../../src/engine/compile/operations.js";
import { BackendFlag, SERVICE_WORDS, type ServiceTables } from "../../../src/engine/compile/services.js";
import { verify } from "../../../src/engine/verify/verify.js";
import { readRules } from "../../../src/syntax/read.js";
import { NODE } from "../rules.js";
import { chainNamed, expectCaught, operations, rowsOf, tableOf } from "./caught.js";

const FEATURES = join(import.meta.dirname, "../../../datasets/features");
const textOf = (feature: string): string => join(FEATURES, feature, "rules.nft");
const features = readdirSync(FEATURES).filter((feature) => existsSync(textOf(feature)));
const resolvedOf = (feature: string): ResolvedRuleSet => resolve(readRules(readFileSync(textOf(feature))).ruleset!);

const SERVICE = "service-KHN6ECMT-shop/web/tcp/http";
const EXTERNAL = "external-KHN6ECMT-shop/web/tcp/http";
const ENDPOINT = "endpoint-ICTKT37X-shop/web/tcp/http__10.1.1.5/8080";

/** Changes the value of the first element of the table that the nth verdict map of a chain looks into. */
function lead(plan: Plan, chain: string, nth: number, verdict: number): void {
  const table = tableOf(plan, chain, Op.verdictMap, nth);
  const { at, width } = rowsOf(table);
  table.rows[at[0]! + width - 1] = verdict;
}

/** The offset in the map of the first row with backends. */
function serviceRow({ map }: ServiceTables): number {
  for (let row = 0; row < map.length; row += SERVICE_WORDS)
    if (map[row + 1] !== 0 && (map[row + 3]! & 0xffff) > 0) return row;
  throw new Error("no row has backends");
}

/** The offset in `backends` of the first backend of that row. */
const backend = (tables: ServiceTables): number => 2 * tables.map[serviceRow(tables) + 2]!;

/** Swaps all columns of two neighbouring rules of a chain. */
function swapRules({ columns, ...plan }: Plan, chain: string): void {
  const first = columns.chainStart[chainNamed({ columns, ...plan }, chain).id]!;
  const { dst, src, protocol, more, sportFirst, sportLast, dportFirst, dportLast, entry, ids, rules } = columns;
  for (const [column, words] of [
    ...[dst, src].map((wide) => [wide, 2] as const),
    ...[protocol, more, sportFirst, sportLast, dportFirst, dportLast, entry, ids].map((one) => [one, 1] as const),
  ]) {
    const row = column.slice(first * words, (first + 1) * words);
    column.copyWithin(first * words, (first + 1) * words, (first + 2) * words);
    column.set(row, (first + 1) * words);
  }
  [rules[first], rules[first + 1]] = [rules[first + 1]!, rules[first]!];
}

const faults: readonly (readonly [feature: string, name: string, damage: (plan: Plan) => void])[] = [
  [
    "cluster-ip",
    "a service leads to one of its endpoints",
    (plan) => lead(plan, "services", 0, Op.goto | (chainNamed(plan, ENDPOINT).id << 8)),
  ],
  ["cluster-ip", "the order of two rules is swapped", (plan) => swapRules(plan, ENDPOINT)],
  [
    "cluster-ip",
    "the test of a mark is negated",
    (plan) => void (plan.columns.code[operations(plan, "masquerading", Op.mark)[0]! + 3]! ^= 1),
  ],
  [
    "cluster-ip",
    "the mark set is another",
    (plan) => void (plan.columns.code[operations(plan, "mark-for-masquerade", Op.setMark)[0]! + 2]! ^= 0x2000),
  ],
  [
    "cluster-ip",
    "the draw is of fewer endpoints",
    (plan) => void tableOf(plan, SERVICE, Op.verdictMap).fields[0]!.mod--,
  ],
  [
    "cluster-ip",
    "service map: the bound of an even choice is off, and no guess certain",
    ({ tables }) => {
      const choice = tables.map[serviceRow(tables) + 3]! >>> 16;
      tables.bounds[choice]! -= 5000;
      tables.doubts[choice] = 2 ** 31;
    },
  ],
  [
    "cluster-ip",
    "service map: the address of a backend is wrong",
    ({ tables }) => void tables.backends[backend(tables)]!++,
  ],
  [
    "cluster-ip",
    "service map: the hairpin flag is lost",
    ({ tables }) => void (tables.backends[backend(tables) + 1]! &= ~(BackendFlag.hairpin << 16)),
  ],
  [
    "cluster-ip",
    "service map: the source test is left out",
    ({ tables }) => void (tables.map[serviceRow(tables) + 1]! &= 0xffffff),
  ],
  [
    "cluster-ip",
    "service map: the masquerade takes the port as it is",
    ({ tables }) => void (tables.backends[backend(tables) + 1]! ^= BackendFlag.fullyRandom << 16),
  ],
  [
    "external-ip",
    "traffic from outside is not marked",
    (plan) => void plan.columns.chainStart[chainNamed(plan, EXTERNAL).id]!++,
  ],
  [
    "external-policy-local",
    "traffic from outside goes to all endpoints",
    (plan) => lead(plan, "services", 1, Op.goto | (chainNamed(plan, SERVICE).id << 8)),
  ],
  [
    "internal-policy-local",
    "a service without endpoints here is let through",
    (plan) => lead(plan, "service-endpoints-check", 0, Op.accept),
  ],
  [
    "load-balancer",
    "a range of sources ends too late",
    (plan) => void tableOf(plan, "firewall-KHN6ECMT-shop/web/tcp/http", Op.inTable).last[0]!++,
  ],
  [
    "load-balancer",
    "a destination is no more behind its firewall",
    (plan) => void tableOf(plan, "firewall-check", Op.verdictMap).used.fill(0),
  ],
  [
    "no-endpoints",
    "a service without endpoints drops where it should reject",
    (plan) => lead(plan, "service-endpoints-check", 0, Op.drop),
  ],
  ["node-port", "the node's address is lost", (plan) => void tableOf(plan, "services", Op.inTable).used.fill(0)],
  [
    "node-port",
    "the parts of a key are swapped",
    (plan) => void tableOf(plan, "services", Op.verdictMap, 1).fields.reverse(),
  ],
  [
    "protocols",
    "a key has another part of the packet",
    (plan) => void tableOf(plan, "services", Op.verdictMap).fields[2]!.source--,
  ],
  [
    "session-affinity",
    "what only the readable walk can do is passed over",
    (plan) => {
      for (const chain of [SERVICE, ENDPOINT])
        for (const at of operations(plan, chain, Op.general)) plan.columns.code[at] = Op.end;
    },
  ],
];

describe("verify catches faults of compiled nftables mode", () => {
  it.each(features)("finds nothing where there is none (%s)", (feature) => {
    const found = verify(compile(resolvedOf(feature), NODE));
    expect([found.reason, found.equal, found.share]).toEqual([undefined, true, 1]);
  });

  it.each(faults)("%s: %s", (feature, _, damage) => {
    const resolved = resolvedOf(feature);
    const plan = compile(resolved, NODE);
    damage(plan);
    expectCaught(plan, resolved);
  });
});
