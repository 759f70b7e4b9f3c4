/** Random rule sets in the canonical form that reading an iptables text gives. */
import * as fc from "fast-check";
import type { Family } from "../../src/packet/address.js";
import { hasPorts } from "../../src/packet/protocol.js";
import type { Chain, Hook, Rule, RuleSet, Statement, Table } from "../../src/ruleset/types.js";
import { builtinBase } from "../../src/syntax/iptables/builtin.js";
import { arbitraryHeader, arbitraryMatch } from "./statements.js";
import { natRange, remember, text, uint32 } from "./values.js";

/** What a rule may do besides matching. */
export interface RuleSurroundings {
  readonly family: Family;
  /** `raw`, `mangle`, `nat`, `filter`. */
  readonly table: string;
  /** Chains it may jump or go to. */
  readonly chains: readonly string[];
  /** In table nat: the hook from which it is reached. */
  readonly hook?: Hook;
  /** Without opaque matches and targets, which stop a walk. */
  readonly evaluable?: boolean;
  readonly counters?: boolean;
}

const rejects = {
  ip: ["icmp-port-unreachable", "icmp-net-unreachable", "icmp-host-prohibited", "icmp-admin-prohibited"],
  ip6: ["icmp6-port-unreachable", "icmp6-no-route", "icmp6-adm-prohibited", "icmp6-policy-fail"],
} as const;

function arbitraryTarget(around: RuleSurroundings, protocol: number | null): fc.Arbitrary<Statement[]> {
  const ports = protocol !== null && hasPorts(protocol);
  return remember(`target ${ports} ${JSON.stringify(around)}`, () => makeTarget(around, ports));
}

function makeTarget(around: RuleSurroundings, ports: boolean): fc.Arbitrary<Statement[]> {
  const { family, table, hook } = around;
  const plain: Statement[] = [{ kind: "accept" }, { kind: "accept" }, { kind: "return" }];
  if (table !== "nat") plain.push({ kind: "drop" });
  if (table === "raw") plain.push({ kind: "notrack", target: "CT" }, { kind: "notrack", target: "NOTRACK" });
  if (table === "raw") plain.push({ kind: "log", target: "TRACE", options: [] });
  if (table === "filter") plain.push(...rejects[family].map((answer): Statement => ({ kind: "reject", with: answer })));
  if (around.evaluable !== true && table === "mangle")
    plain.push({ kind: "opaque-target", target: "TTL", text: "-j TTL --ttl-set 5" });
  const logs: fc.Arbitrary<Statement> = text
    .filter((prefix) => prefix !== "")
    .map((prefix) => ({ kind: "log", target: "LOG", options: ["--log-prefix", prefix, "--log-level", "7"] }));
  const targets: fc.Arbitrary<Statement>[] = [
    fc.constantFrom(...plain),
    fc.record({
      kind: fc.constant("set-mark" as const),
      field: fc.constantFrom("mark" as const, "ctmark" as const),
      clear: uint32,
      xor: uint32,
    }),
    fc.record({
      kind: fc.constant("copy-mark" as const),
      direction: fc.constantFrom("save" as const, "restore" as const),
      nfmask: uint32,
      ctmask: uint32,
    }),
    logs,
  ];
  if (around.chains.length > 0)
    targets.push(
      ...Array.from({ length: 3 }, () =>
        fc.record({
          kind: fc.constantFrom("jump" as const, "jump" as const, "goto" as const),
          chain: fc.constantFrom(...around.chains),
        }),
      ),
    );
  if (table === "nat" && (hook === "prerouting" || hook === "output"))
    targets.push(
      natRange(family, ports, ["random", "persistent"]).map((to) => ({ kind: "dnat", to })),
      natRange(family, ports, ["random"], false).map((to) => ({ kind: "redirect", to })),
    );
  if (table === "nat" && hook === "postrouting")
    targets.push(
      natRange(family, ports, ["random", "fullyRandom", "persistent"]).map((to) => ({ kind: "snat", to })),
      natRange(family, ports, ["random", "fullyRandom"], false).map((to) => ({ kind: "masquerade", to })),
    );
  const some = fc.oneof(...targets).map((statement) => [statement]);
  return fc.oneof({ weight: 9, arbitrary: some }, { weight: 1, arbitrary: fc.constant<Statement[]>([]) });
}

/** A rule: header, matches, one target or none. */
export function arbitraryRule(around: RuleSurroundings): fc.Arbitrary<Rule> {
  return remember(`rule ${JSON.stringify(around)}`, () => makeRule(around));
}

function makeRule(around: RuleSurroundings): fc.Arbitrary<Rule> {
  return arbitraryHeader(around.family).chain((header) => {
    const named = header.find((match) => match.kind === "protocol");
    const protocol = named === undefined || named.negate ? null : named.protocol;
    const matches = fc.array(arbitraryMatch(around.family, protocol), { maxLength: 3 });
    return fc
      .tuple(matches, arbitraryTarget(around, protocol), fc.nat(1e6), fc.nat({ max: Number.MAX_SAFE_INTEGER }))
      .map(([lists, target, packets, bytes]) => {
        const all = [...header, ...lists.flat(), ...target];
        const statements = around.evaluable === true ? all.filter((s) => s.kind !== "opaque-match") : all;
        return around.counters === true ? { statements, counters: { packets, bytes } } : { statements };
      });
  });
}

const builtin: Readonly<Record<string, readonly string[]>> = {
  raw: ["PREROUTING", "OUTPUT"],
  mangle: ["PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"],
  nat: ["PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"],
  filter: ["INPUT", "FORWARD", "OUTPUT"],
};

export interface RuleSetShape {
  readonly family?: Family;
  /** Most rules in a chain. */
  readonly rules?: number;
  readonly evaluable?: boolean;
}

/** User chains of a table; in nat those that are reached before routing (DST) and after it (SRC) are kept apart. */
function userChains(table: string): readonly { readonly name: string; readonly hook?: Hook }[] {
  if (table !== "nat") return [{ name: "USER-1" }, { name: "USER-2" }, { name: "USER-3" }];
  return [
    { name: "DST-1", hook: "prerouting" },
    { name: "DST-2", hook: "prerouting" },
    { name: "SRC-1", hook: "postrouting" },
    { name: "SRC-2", hook: "postrouting" },
  ];
}

/** The kind of user chain in table nat that a hook may jump to. */
function side(hook: Hook | undefined): string {
  if (hook === "prerouting" || hook === "output") return "DST";
  return hook === "postrouting" ? "SRC" : "none";
}

function arbitraryTable(name: string, family: Family, shape: RuleSetShape, counters: boolean): fc.Arbitrary<Table> {
  const users = userChains(name);
  const bases = builtin[name]!.map((chain) => ({ chain, base: builtinBase(name, chain, "accept")! }));
  const rulesOf = (hook: Hook | undefined, from: number): fc.Arbitrary<Rule[]> => {
    const later = users.slice(from).map((user) => user.name);
    const chains = name === "nat" ? later.filter((user) => user.startsWith(side(hook))) : later;
    const around = {
      family,
      table: name,
      chains,
      ...(hook && { hook }),
      evaluable: shape.evaluable === true,
      counters,
    };
    return fc.array(arbitraryRule(around), { maxLength: shape.rules ?? 4 });
  };
  const size = fc.record({ packets: fc.nat(1e6), bytes: fc.nat(1e9) });
  const base = bases.map(({ chain, base: spec }) =>
    fc
      .tuple(rulesOf(spec.hook, 0), size, fc.constantFrom("accept" as const, "accept" as const, "drop" as const))
      .map(([rules, totals, policy]): Chain => ({
        name: chain,
        base: { ...spec, policy: name === "nat" ? "accept" : policy },
        rules,
        counters: totals,
      })),
  );
  const user = users.map(({ name: chain, hook }, i) =>
    rulesOf(hook, i + 1).map((rules): Chain => ({ name: chain, rules, counters: { packets: 0, bytes: 0 } })),
  );
  return fc.tuple(...base, ...user).map((chains): Table => ({ family, name, chains, sets: [], maps: [] }));
}

/** Tables raw, mangle, nat and filter (some of them), chains that jump without loops, NAT only where the kernel allows it. */
export function arbitraryRuleSet(shape: RuleSetShape = {}): fc.Arbitrary<RuleSet> {
  const families = shape.family === undefined ? fc.constantFrom<Family>("ip", "ip6") : fc.constant(shape.family);
  return fc
    .tuple(families, fc.subarray(["raw", "mangle", "nat", "filter"], { minLength: 1 }), fc.boolean())
    .chain(([family, names, counters]) =>
      fc
        .tuple(...names.map((name) => arbitraryTable(name, family, shape, counters)))
        .map((tables): RuleSet => ({ tables })),
    );
}
