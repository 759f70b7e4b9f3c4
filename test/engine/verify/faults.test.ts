/** What a compiler could get wrong, one fault a pass and kind: each must be caught, with a packet that really fares differently. */
import { afterEach, describe, expect, it, vi } from "vitest";
import { Node } from "../../../src/packet/node.js";
import { resolve, type ResolvedRuleSet } from "../../../src/ruleset/resolve.js";
import { compile, type Plan } from "../../../src/engine/compile/compile.js";
import { Op } from "../../../src/engine/compile/operations.js";
import { BackendFlag, SERVICE_WORDS, type ServiceTables } from "../../../src/engine/compile/services.js";
import { verify } from "../../../src/engine/verify/verify.js";
import { generateIptables } from "../../../src/kube/iptables-mode/write.js";
import { synthesizeCluster } from "../../../src/kube/synthetic.js";
import { readRules } from "../../../src/syntax/read.js";
import { chainNamed, expectCaught, operations } from "./caught.js";

/** Functions of the lookups, with a fault where `fault` says so. */
const fault = vi.hoisted(() => ({ serviceKey: false }));
vi.mock("../../../src/engine/compile/services.js", async (original) => {
  const right = await original<typeof import("../../../src/engine/compile/services.js")>();
  return {
    ...right,
    findService: (tables: ServiceTables, address: number, key: number): number => {
      if (!fault.serviceKey) return right.findService(tables, address, key);
      const ports = right.hashPorts(key);
      const hash = right.hashService(address, ports);
      const { map, seeds, slotShift } = tables;
      const row = right.SERVICE_WORDS * right.slotOf(hash, ports, seeds[hash >>> slotShift]!, slotShift);
      return map[row + 1] === 0 ? -1 : row;
    },
  };
});

afterEach(() => {
  fault.serviceKey = false;
});

const cluster = synthesizeCluster({ services: 24, endpoints: 3, seed: 5, empty: 0.2 });
/** Rules a node has besides those of kube-proxy: marks, interfaces, ports, states, a chain long enough to be indexed. */
const FIREWALL = [
  "*mangle",
  ":PREROUTING ACCEPT [0:0]",
  "-A PREROUTING -i docker+ -j MARK --set-xmark 0x10/0x10",
  "-A PREROUTING -s 172.17.0.0/16 -p tcp -m tcp --dport 8000:8010 --tcp-flags SYN,ACK SYN -j DROP",
  "-A PREROUTING ! -d 10.0.0.0/8 -m conntrack --ctstate INVALID -j DROP",
  "COMMIT",
  "*raw",
  ":PREROUTING ACCEPT [0:0]",
  ":HOSTS - [0:0]",
  "-A PREROUTING -p udp -j HOSTS",
  ...Array.from({ length: 12 }, (_, i) => `-A HOSTS -s 203.0.113.${i}/32 -p udp -m udp --dport ${1000 + i} -j DROP`),
  "-A HOSTS -d 203.0.113.200/32 -j DROP",
  "-A HOSTS -i eth7 -j DROP",
  "COMMIT",
  "",
].join("\n");
/** Services whose backends are not equally likely: almost, and by far. */
const UNEVEN = [
  "*nat",
  ":PREROUTING ACCEPT [0:0]",
  ...["SVC-A", "SVC-B", "SEP-1", "SEP-2", "SEP-3"].map((name) => `:${name} - [0:0]`),
  "-A PREROUTING -d 10.96.0.1/32 -p tcp -m tcp --dport 80 -j SVC-A",
  "-A PREROUTING -d 10.96.0.2/32 -p tcp -m tcp --dport 80 -j SVC-B",
  "-A SVC-A -m statistic --mode random --probability 0.45000000000 -j SEP-1",
  "-A SVC-A -j SEP-2",
  "-A SVC-B -m statistic --mode random --probability 0.00100000000 -j SEP-1",
  "-A SVC-B -m statistic --mode random --probability 0.00000000000 -j SEP-2",
  "-A SVC-B -j SEP-3",
  ...[1, 2, 3].map((n) => `-A SEP-${n} -p tcp -m tcp -j DNAT --to-destination 10.1.0.${n}:8080`),
  "COMMIT",
  "",
].join("\n");
const kube = generateIptables(cluster.objects, cluster.configuration, cluster.node);
/** With the firewall in front, what a service does depends on more than its tables hold, so that its packets are walked. */
const sets: Readonly<Record<"kube" | "firewall" | "uneven", ResolvedRuleSet>> = {
  kube: resolve(kube),
  uneven: resolve(readRules(UNEVEN).ruleset!),
  firewall: resolve({ tables: [...kube.tables, ...readRules(FIREWALL).ruleset!.tables] }),
};
const node = new Node(cluster.node.addresses);

type Writable<T> = { -readonly [K in keyof T]: T[K] };
const loosely = (tables: ServiceTables): Writable<ServiceTables> => tables;

/** The offset in the map of a row with that many backends. */
function rowWith({ map }: ServiceTables, backends: number): number {
  for (let row = 0; row < map.length; row += SERVICE_WORDS)
    if (map[row + 1] !== 0 && (map[row + 3]! & 0xffff) === backends) return row;
  throw new Error(`no row with ${backends} backends`);
}

/** The arrays of the index of a chain. */
function indexOf(plan: Plan, chain: string) {
  const index = plan.indexes[chainNamed(plan, chain).id];
  if (index === undefined) throw new Error(`chain ${chain} has no index`);
  const arrays = index as unknown as {
    nextRest: Int32Array;
    signatures: { table: { rules: Int32Array; keys: Uint32Array; equal: () => boolean } }[];
  };
  return { rest: arrays.nextRest, tables: arrays.signatures.map(({ table }) => table) };
}

const faults: readonly (readonly [name: string, damage: (plan: Plan) => void])[] = [
  [
    "prune: a rule that is not shadowed is passed over",
    (plan) => {
      const { rest } = indexOf(plan, "HOSTS");
      rest.fill(rest.length - 1);
    },
  ],
  ["partition: a key leads to the next rule", (plan) => void indexOf(plan, "HOSTS").tables[0]!.rules[3]!++],
  ["partition: a bit of a key is another", (plan) => void (indexOf(plan, "HOSTS").tables[0]!.keys[1]! ^= 4)],
  ["partition: key compare left out", (plan) => void (indexOf(plan, "HOSTS").tables[0]!.equal = () => true)],
  ["service map: key compare left out", () => void (fault.serviceKey = true)],
  [
    "uneven pick: a bound is off",
    ({ tables }) => void (tables.bounds[tables.map[rowWith(tables, 2) + 3]! >>> 16]! -= 5000),
  ],
  [
    "uneven pick: a guess is taken for certain",
    ({ tables }) => void (tables.doubts[tables.map[rowWith(tables, 2) + 3]! >>> 16] = 0x1999_9999),
  ],
  [
    "pick: two thresholds are swapped",
    ({ tables }) => {
      const at = tables.map[rowWith(tables, 3) + 3]! >>> 16;
      [tables.thresholds[at], tables.thresholds[at + 1]] = [tables.thresholds[at + 1]!, tables.thresholds[at]!];
    },
  ],
  [
    "pick: the rules that draw are in another order",
    ({ tables }) => {
      const row = rowWith(tables, 3) / SERVICE_WORDS;
      const cold = tables.cold as Writable<ServiceTables["cold"]> as unknown[];
      cold[row] = { ...tables.cold[row]!, picks: tables.cold[row]!.picks.toReversed() };
    },
  ],
  [
    "layout: port of a backend wrong",
    ({ tables }) => void tables.backends[2 * tables.map[rowWith(tables, 3) + 2]! + 1]!++,
  ],
  [
    "layout: address of a backend wrong",
    ({ tables }) => void tables.backends[2 * tables.map[rowWith(tables, 3) + 2]!]!++,
  ],
  ["layout: backends shifted by one row", ({ tables }) => void tables.map[rowWith(tables, 3) + 2]!++],
  [
    "specialise: masquerade flag lost",
    ({ tables }) =>
      void (tables.backends[2 * tables.map[rowWith(tables, 3) + 2]! + 1]! &= ~(BackendFlag.masqueradeMarked << 16)),
  ],
  [
    "specialise: hairpin flag lost",
    ({ tables }) =>
      void (tables.backends[2 * tables.map[rowWith(tables, 3) + 2]! + 1]! &= ~(BackendFlag.hairpin << 16)),
  ],
  [
    "specialise: delivered to the node instead of forwarded",
    ({ tables }) => void (tables.backends[2 * tables.map[rowWith(tables, 3) + 2]! + 1]! ^= BackendFlag.local << 16),
  ],
  [
    "specialise: source test negated",
    ({ tables }) => {
      const number = tables.map[rowWith(tables, 3) + 1]! >>> 24;
      const tests = tables.sourceTests as unknown as { negate: boolean }[];
      tests[number] = { ...tests[number]!, negate: !tests[number]!.negate };
    },
  ],
  ["specialise: source test left out", ({ tables }) => void (tables.map[rowWith(tables, 3) + 1]! &= 0xffffff)],
  [
    "specialise: fixed verdict wrong",
    ({ tables }) => void ((tables.cold[rowWith(tables, 0) / SERVICE_WORDS] as { verdict: string }).verdict = "drop"),
  ],
  [
    "specialise: another answer to a rejected packet",
    ({ tables }) =>
      void ((tables.cold[rowWith(tables, 0) / SERVICE_WORDS] as { rejectWith: string }).rejectWith = "tcp-reset"),
  ],
  ["specialise: mark of marked packets wrong", ({ tables }) => void (loosely(tables).markMarked ^= 1)],
  ["specialise: mark of unmarked packets wrong", ({ tables }) => void (loosely(tables).markUnmarked ^= 1)],
  [
    "columns: mask compare left out",
    (plan) => {
      const { id } = plan.resolved.chains.find(({ table, rules }) => table.name === "mangle" && rules.length > 2)!;
      plan.columns.src[2 * (plan.columns.chainStart[id]! + 1) + 1] = 0;
    },
  ],
  [
    "columns: a range of ports begins too late",
    (plan) => {
      const { id } = plan.resolved.chains.find(({ table, rules }) => table.name === "mangle" && rules.length > 2)!;
      plan.columns.dportFirst[plan.columns.chainStart[id]! + 1]!++;
    },
  ],
  [
    "columns: a test is negated",
    (plan) => void (plan.columns.code[operations(plan, "KUBE-FORWARD", Op.state)[0]! + 3]! ^= 1),
  ],
  [
    "columns: state bits wrong",
    (plan) => void (plan.columns.code[operations(plan, "KUBE-FORWARD", Op.state)[0]! + 1]! ^= 2),
  ],
  [
    "columns: the mark set is another",
    (plan) => void (plan.columns.code[operations(plan, "KUBE-MARK-MASQ", Op.setMark)[0]! + 2]! ^= 2),
  ],
  [
    "columns: a jump leads to another chain",
    (plan) => void plan.columns.code[operations(plan, "KUBE-SERVICES", Op.jump)[0]! + 1]!--,
  ],
  [
    "columns: rows of a chain shifted",
    (plan) => {
      const { id } = chainNamed(plan, "KUBE-FORWARD");
      plan.columns.chainStart[id]!++;
    },
  ],
  [
    "columns: an interface is taken for a beginning of names",
    (plan) => {
      const test = plan.columns.tests.rows.find(({ name }) => name === "docker")!;
      (test as { prefix: boolean }).prefix = false;
    },
  ],
];

describe("verify catches faults of the compiler", () => {
  for (const [name, resolved] of Object.entries(sets))
    it(`finds nothing where there is none (${name})`, () => {
      const found = verify(compile(resolved, node));
      expect([found.reason, found.equal, found.share]).toEqual([undefined, true, 1]);
    });

  for (const [name, damage] of faults) {
    it(name, () => {
      const kind = name.startsWith("uneven")
        ? "uneven"
        : /^(?:prune|partition|columns)/.test(name)
          ? "firewall"
          : "kube";
      const resolved = sets[kind];
      const plan = compile(resolved, node);
      damage(plan);
      expectCaught(plan, resolved);
    });
  }
});
