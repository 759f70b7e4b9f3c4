/** The tables of iptables and their built-in chains (net/ipv4/netfilter/iptable_*.c; priorities of linux/netfilter_ipv4.h). */
import type { BaseChain, ChainType, Hook } from "../../ruleset/types.js";

const hooks = {
  PREROUTING: "prerouting",
  INPUT: "input",
  FORWARD: "forward",
  OUTPUT: "output",
  POSTROUTING: "postrouting",
} as const satisfies Record<string, Hook>;

type BuiltinChain = keyof typeof hooks;

const chainsOf: Readonly<Record<string, readonly BuiltinChain[]>> = {
  raw: ["PREROUTING", "OUTPUT"],
  mangle: ["PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"],
  nat: ["PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"],
  filter: ["INPUT", "FORWARD", "OUTPUT"],
  security: ["INPUT", "FORWARD", "OUTPUT"],
};

const priorities: Readonly<Record<string, number>> = { raw: -300, mangle: -150, filter: 0, security: 50 };
const NAT_DESTINATION = -100;
const NAT_SOURCE = 100;

export const tableNames: readonly string[] = Object.keys(chainsOf);

export function isTable(name: string): boolean {
  return Object.hasOwn(chainsOf, name);
}

/** Whether the name is that of a built-in chain of some table. */
export function isBuiltinName(name: string): boolean {
  return Object.hasOwn(hooks, name);
}

/** The tables that have this built-in chain. */
export function tablesWith(chain: string): string[] {
  return tableNames.filter((table) => (chainsOf[table] as readonly string[]).includes(chain));
}

/** What makes a built-in chain a base chain; undefined for any other name. */
export function builtinBase(table: string, chain: string, policy: "accept" | "drop"): BaseChain | undefined {
  if (!isTable(table) || !(chainsOf[table] as readonly string[]).includes(chain)) return undefined;
  const hook = hooks[chain as BuiltinChain];
  const type: ChainType = table === "nat" ? "nat" : table === "mangle" && hook === "output" ? "route" : "filter";
  const nat = hook === "prerouting" || hook === "output" ? NAT_DESTINATION : NAT_SOURCE;
  return { type, hook, priority: table === "nat" ? nat : priorities[table]!, policy };
}
