import type { Chain, Rule, RuleSet, Table } from "../../ruleset/types.js";
import type { Settings } from "../configuration.js";
import type { ServicePort } from "../services.js";
import type { TableName } from "./draft.js";
import type { Layout } from "./layout.js";
import { printRestoreRule } from "./restore-input.js";
import { writeIptables } from "./write.js";

/** What one run of iptables-restore --noflush changes in one table. */
export interface TableSync {
  readonly table: TableName;
  /** Chains that get these rules and no others; new ones among them. */
  readonly chains: readonly { readonly name: string; readonly rules: readonly Rule[] }[];
  /** Chains that are flushed and deleted. */
  readonly deleted: readonly string[];
}

/** What kube-proxy sends to iptables-restore when objects have changed. */
export interface Sync {
  /** Whether only the chains of changed services are sent (v1.27 and later), or those of all. */
  readonly kind: "partial" | "full";
  readonly tables: readonly TableSync[];
  /** Services that came, went or changed, as `namespace/name`. */
  readonly changed: readonly string[];
  /** The input of `iptables-restore --noflush --counters`, as v1.24 and later spell it. */
  readonly text: string;
  readonly lines: number;
  readonly bytes: number;
}

/** Chains kube-proxy never sends: it makes the first itself, and keeps the jumps to its chains by single commands. */
const NEVER_SENT = /^(KUBE-PROXY-CANARY|PREROUTING|INPUT|FORWARD|OUTPUT|POSTROUTING)$/;
/** Kubelet's, in layouts in which it has them. */
const KUBELETS = /^KUBE-(FIREWALL|MARK-DROP)$/;
/** Chains of single services (isServiceChainName, pkg/proxy/iptables/proxier.go). */
const OF_SERVICE = /^KUBE-(SVC|SVL|EXT|FW|XLB|SEP)-/;

/**
 * The sync from one state of the service ports to the next, on a node whose configuration stays the same (syncProxyRules, KEP-3453): every
 * chain that is not of a single service is sent whole, chains of single services where Service or endpoints have changed, and chains no
 * longer in use are deleted. In a large cluster kube-proxy postpones that deletion up to its sync period; here it is always part of it.
 *
 * A partial sync that takes the cluster over the limit of large ones, or back, leaves the comments of unchanged services as they are:
 * `applySync` to the old rules then gives other comments than the new rules have.
 */
export function planSync(
  before: readonly ServicePort[],
  after: readonly ServicePort[],
  settings: Settings,
  layout: Layout,
): Sync {
  const [old, next] = [writeIptables(before, settings, layout), writeIptables(after, settings, layout)];
  const changed = changedServices(before, after);
  const rewritten = layout.partialSync ? after.filter((port) => changed.has(ownerOf(port))) : after;
  const own = new Set(chainsOf(writeIptables(rewritten, settings, layout), "nat").map((chain) => chain.name));
  const kubelets = layout.firewall !== "kube-proxy";
  const tables = (["filter", "nat"] as const).map((table): TableSync => {
    const there = chainsOf(next, table);
    const names = new Set(there.map((chain) => chain.name));
    return {
      table,
      chains: there.filter(
        ({ name }) =>
          !NEVER_SENT.test(name) && !(kubelets && KUBELETS.test(name)) && (!OF_SERVICE.test(name) || own.has(name)),
      ),
      deleted: chainsOf(old, table).flatMap(({ name }) => (OF_SERVICE.test(name) && !names.has(name) ? [name] : [])),
    };
  });
  const lines = tables.flatMap((one) => tableLines(one, layout));
  const text = `${lines.join("\n")}\n`;
  const kind = layout.partialSync ? "partial" : "full";
  return { kind, tables, changed: [...changed], text, lines: lines.length, bytes: Buffer.byteLength(text) };
}

function chainsOf(ruleset: RuleSet, table: TableName): readonly Chain[] {
  return ruleset.tables.find((one) => one.name === table)?.chains ?? [];
}

function ownerOf(port: ServicePort): string {
  return `${port.namespace}/${port.service}`;
}

/** Services that came, went, or are not as they were, endpoints included. */
function changedServices(before: readonly ServicePort[], after: readonly ServicePort[]): Set<string> {
  const [old, next] = [byOwner(before), byOwner(after)];
  const changed = new Set<string>();
  for (const [owner, ports] of next) {
    const known = old.get(owner);
    if (known === undefined || JSON.stringify(known) !== JSON.stringify(ports)) changed.add(owner);
  }
  for (const owner of old.keys()) if (!next.has(owner)) changed.add(owner);
  return changed;
}

function byOwner(ports: readonly ServicePort[]): Map<string, ServicePort[]> {
  const owners = new Map<string, ServicePort[]>();
  for (const port of ports) {
    const owner = ownerOf(port);
    const known = owners.get(owner);
    if (known === undefined) owners.set(owner, [port]);
    else known.push(port);
  }
  return owners;
}

function tableLines({ table, chains, deleted }: TableSync, layout: Layout): string[] {
  return [
    `*${table}`,
    ...[...chains.map((chain) => chain.name), ...deleted].map((name) => `:${name} - [0:0]`),
    ...chains.flatMap(({ name, rules }) => rules.map((rule) => printRestoreRule(rule, name, layout.decimals))),
    ...deleted.map((name) => `-X ${name}`),
    "COMMIT",
  ];
}

/** The rule set a kernel holds after a sync: what iptables-restore --noflush does. */
export function applySync(ruleset: RuleSet, sync: Sync): RuleSet {
  return { ...ruleset, tables: ruleset.tables.map((table) => applyTable(table, sync.tables)) };
}

function applyTable(table: Table, syncs: readonly TableSync[]): Table {
  const sync = syncs.find((one) => one.table === table.name);
  if (sync === undefined) return table;
  const chains = new Map(table.chains.map((chain) => [chain.name, chain]));
  for (const { name, rules } of sync.chains)
    chains.set(name, { ...(chains.get(name) ?? { name, counters: { packets: 0, bytes: 0 } }), rules });
  for (const name of sync.deleted) chains.delete(name);
  const all = [...chains.values()];
  const own = all.filter((chain) => chain.base === undefined).sort((a, b) => (a.name < b.name ? -1 : 1));
  return { ...table, chains: [...all.filter((chain) => chain.base !== undefined), ...own] };
}
