import { formatEndpoint } from "../../packet/address.js";
import type { Chain, MapElement, Rule, Statement, Table } from "../../ruleset/types.js";
import type { CountedChoice, CountedEndpoint } from "../counted-choice.js";
import { type Draw, drawOf, mapsOf } from "./read-draw.js";

/** `service-ULMVA6XW-ns1/svc1/tcp/p80`; `local-...` chooses among the endpoints of this node. */
const CHOICE = /^(service|local)-[A-Z2-7]{8}-([^/]+)\/([^/]+)\/(?:tcp|udp|sctp)\/(.*)$/;

/**
 * The counted choices of kube-proxy's nftables mode, by counters that somebody added to the chains of its endpoints; kube-proxy itself
 * writes none. Undefined where there are none.
 */
export function countedDraws(table: Table): CountedChoice[] | undefined {
  const chains = new Map(table.chains.map((chain) => [chain.name, chain]));
  const callers = new Map<string, number>();
  for (const chain of table.chains)
    for (const rule of chain.rules)
      for (const { verdict } of targetsOf(rule, table)) callers.set(verdict, (callers.get(verdict) ?? 0) + 1);
  const maps = mapsOf(table);
  let counted = false;
  const choices = table.chains.flatMap((chain): CountedChoice[] => {
    const named = CHOICE.exec(chain.name);
    const rule = named === null ? undefined : chain.rules.find((one) => drawOf(one, maps) !== undefined);
    if (named === null || rule === undefined) return [];
    const targets = targetsOf(rule, table);
    const endpoints = endpointsOf(targets, drawOf(rule, maps)!, chains);
    if (endpoints.some(({ counter }) => counter !== undefined)) counted = true;
    const [, kind, namespace, service, port] = named;
    return [
      {
        chain: chain.name,
        service: `${namespace}/${service}${port === "" ? "" : `:${port}`}`,
        local: kind === "local",
        endpoints: endpoints.map(({ counter, ...rest }) => ({ ...rest, packets: counter ?? 0 })),
        byAffinity: 0,
        mixed: targets.some(({ verdict, times }) => callers.get(verdict)! > times),
      },
    ];
  });
  return counted ? choices : undefined;
}

/** A chain that is led to, and by how many elements. */
interface Target {
  readonly verdict: string;
  readonly times: number;
}

function targetsOf({ statements }: Rule, table: Table): Target[] {
  const last = statements[statements.length - 1];
  if (last?.kind === "jump" || last?.kind === "goto") return [{ verdict: last.chain, times: 1 }];
  if (last?.kind !== "verdict-map") return [];
  const { map } = last;
  const elements = typeof map === "string" ? table.maps.find((one) => one.name === map)?.elements : map;
  const times = new Map<string, number>();
  for (const element of elements ?? []) {
    const verdict = "verdict" in element ? (element as MapElement).verdict : undefined;
    if (verdict?.kind === "jump" || verdict?.kind === "goto")
      times.set(verdict.chain, (times.get(verdict.chain) ?? 0) + 1);
  }
  return [...times].map(([verdict, count]) => ({ verdict, times: count }));
}

function endpointsOf(
  targets: readonly Target[],
  draw: Draw,
  chains: ReadonlyMap<string, Chain>,
): (Omit<CountedEndpoint, "packets"> & { counter: number | undefined })[] {
  const parts = new Map<string | undefined, number>();
  for (const { chain, numbers } of draw.elements)
    parts.set(chain, (parts.get(chain) ?? 0) + numbers[1] - numbers[0] + 1);
  const all = [...parts.values()].reduce((sum, part) => sum + part, 0);
  return targets.map(({ verdict }) => {
    const rule = chains.get(verdict)?.rules.find((one) => one.statements.some((s) => s.kind === "dnat"));
    const find = <K extends Statement["kind"]>(kind: K): Extract<Statement, { kind: K }> | undefined =>
      rule?.statements.find((s): s is Extract<Statement, { kind: K }> => s.kind === kind);
    const to = find("dnat")?.to;
    const [address, port] = [to?.addresses?.[0], to?.ports?.[0]];
    return {
      to: address === undefined || port === undefined ? verdict : formatEndpoint(address, port),
      share: all === 0 ? 0 : (parts.get(verdict) ?? 0) / all,
      counter: find("counter")?.packets,
    };
  });
}
