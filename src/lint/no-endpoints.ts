import { placeOf } from "./place.js";
import type { PlacedFrontend } from "./services.js";
import type { Check, Finding } from "./types.js";

export const noEndpoints: Check = {
  code: "no-endpoints",
  summary: "A service that has no endpoints, or none it may use on this node.",
  severity: "info",
  find({ frontends: tables }) {
    return tables.flatMap((frontends) => {
      const refused = new Map<string, PlacedFrontend[]>();
      for (const one of frontends) {
        if (one.refused === undefined) continue;
        const key = `${one.refused} ${one.protocol} ${one.label}`;
        const same = refused.get(key);
        if (same === undefined) refused.set(key, [one]);
        else same.push(one);
      }
      return [...refused.values()].map(([first, ...rest]): Finding => {
        const { label, refused: how, at } = first!;
        const local = how === "drop";
        const more = rest.length === 0 ? "" : ` (on ${rest.length + 1} addresses)`;
        return {
          code: "no-endpoints",
          severity: "info",
          message: `service ${label} has no ${local ? "endpoints on this node" : "endpoints"}: packets to it are ${local ? "dropped" : "rejected"}${more}`,
          right: local
            ? "an endpoint on this node, or traffic policy Cluster; other nodes may well have some"
            : "ready pods that its selector finds",
          place: placeOf(at),
          related: rest.map((one) => ({ ...placeOf(one.at), message: "so does this rule" })),
        };
      });
    });
  },
};
