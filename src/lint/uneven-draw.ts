import { type DrawnElement, drawOf, mapsOf } from "../kube/nftables-mode/read-draw.js";
import { isProxyTable } from "../kube/nftables-mode/read-services.js";
import { translationOf } from "../kube/read-endpoints.js";
import { formatEndpoint } from "../packet/address.js";
import type { ResolvedRule, ResolvedRuleSet } from "../ruleset/resolve.js";
import { placeOf } from "./place.js";
import type { Finding } from "./types.js";

/** kube-proxy's chains that choose among endpoints in nftables mode. */
const CHOICE = /^(service|local)-/;

/** Draws of kube-proxy's nftables mode whose endpoints do not all get the same part of the numbers, or that leave numbers to none. */
export function unevenDraws(resolved: ResolvedRuleSet): Finding[] {
  return resolved.ruleset.tables.filter(isProxyTable).flatMap((table) => {
    const maps = mapsOf(table);
    return resolved.chains
      .filter((chain) => chain.table === table && CHOICE.test(chain.name))
      .flatMap((chain) =>
        chain.rules.flatMap((rule) => {
          const draw = drawOf(rule.rule, maps);
          return draw === undefined ? [] : judge(rule, draw.mod, draw.elements);
        }),
      );
  });
}

function judge(rule: ResolvedRule, mod: number, elements: readonly DrawnElement[]): Finding[] {
  const parts = new Map<string, number>();
  let taken = 0;
  let twice: string | undefined;
  for (const element of elements) {
    const name = nameOf(rule, element);
    const count = element.numbers[1] - element.numbers[0] + 1;
    if (parts.has(name)) twice ??= name;
    parts.set(name, (parts.get(name) ?? 0) + count);
    taken += count;
  }
  const counts = [...parts.values()];
  const lost = mod - taken;
  if (lost === 0 && counts.every((count) => count === counts[0])) return [];
  const byCount = [...parts].toSorted((a, b) => b[1] - a[1]);
  const [most, least] = [byCount[0], byCount[byCount.length - 1]];
  const said = [
    ...(twice === undefined ? [] : [`${twice} is listed twice`]),
    ...(most === undefined || most[1] === least![1]
      ? []
      : [`${most[0]} gets ${most[1]}/${mod}, ${least![0]} ${least![1]}/${mod}`]),
    ...(lost === 0 ? [] : [`${lost}/${mod} of the connections get no endpoint at all`]),
  ];
  return [
    {
      code: "uneven-choice",
      severity: lost > 0 ? "error" : "warning",
      message: `${rule.chain.name}: ${said.join("; ")}`,
      right: `"numgen random mod ${parts.size}" with one number for each endpoint`,
      place: placeOf(rule),
      related: [],
    },
  ];
}

/** The endpoint an element leads to, or its chain where that is not shown. */
function nameOf({ targets }: ResolvedRule, { chain, address, port }: DrawnElement): string {
  const to = chain === undefined ? { address, port } : translationOf(targets.find(({ name }) => name === chain)?.chain);
  if (to.address === undefined || to.port === undefined) return chain ?? "?";
  return formatEndpoint(to.address, to.port);
}
