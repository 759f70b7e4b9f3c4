import { placeOf } from "./place.js";
import { type PlacedRefusal, refusalsByTable } from "./services.js";
import type { Check, Finding } from "./types.js";

export const noEndpoints: Check = {
  code: "no-endpoints",
  summary: "A service that has no endpoints, or none it may use on this node.",
  severity: "info",
  find({ resolved, frontends: tables }) {
    const byRules = tables.map((frontends) =>
      frontends.flatMap(({ label, protocol, refused, at }): PlacedRefusal[] =>
        refused === undefined ? [] : [{ label, protocol, refused, place: placeOf(at) }],
      ),
    );
    return [...byRules, ...refusalsByTable(resolved)].flatMap(findingsOf);
  },
};

/** One for each service port of a table and what becomes of its packets. */
function findingsOf(refusals: readonly PlacedRefusal[]): Finding[] {
  const same = new Map<string, PlacedRefusal[]>();
  for (const one of refusals) {
    const key = `${one.refused} ${one.protocol} ${one.label}`;
    const known = same.get(key);
    if (known === undefined) same.set(key, [one]);
    else known.push(one);
  }
  return [...same.values()].map(([first, ...rest]): Finding => {
    const { label, refused: how, place } = first!;
    const local = how === "drop";
    const more = rest.length === 0 ? "" : ` (on ${rest.length + 1} addresses)`;
    return {
      code: "no-endpoints",
      severity: "info",
      message: `service ${label} has no ${local ? "endpoints on this node" : "endpoints"}: packets to it are ${local ? "dropped" : "rejected"}${more}`,
      right: local
        ? "an endpoint on this node, or traffic policy Cluster; other nodes may well have some"
        : "ready pods that its selector finds",
      place,
      related: rest.map((one) => ({ ...one.place, message: "so does this rule" })),
    };
  });
}
