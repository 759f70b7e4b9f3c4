/** The names a rule set can tell apart: interfaces, bridge ports, hardware addresses. All others are as good as one of them. */
import type { Node } from "../../packet/node.js";
import type { ResolvedRuleSet } from "../../ruleset/resolve.js";
import type { NameField } from "./space.js";

/** What a name no rule knows looks like; no interface has a name like it. */
const OTHER = "~";

export function vocabularyOf(resolved: ResolvedRuleSet, node: Node): Record<NameField, readonly string[]> {
  const interfaces = new Set(["", "lo", node.defaultInterface, ...node.routes.map((route) => route.oif)]);
  const ports = new Set([""]);
  const macs = new Set([""]);
  for (const { rule } of resolved.rules) {
    for (const s of rule.statements) {
      if (s.kind === "interface") add(interfaces, s);
      else if (s.kind === "physdev") for (const test of [s.in, s.out]) if (test !== undefined) add(ports, test);
      if (s.kind === "physdev" && ports.size === 1) ports.add(OTHER);
      if (s.kind === "mac") macs.add(s.address.toLowerCase()).add(OTHER);
    }
  }
  interfaces.add(OTHER);
  if (ports.size > 1) ports.add(OTHER);
  return { iif: [...interfaces], oif: [...interfaces], physIn: [...ports], physOut: [...ports], mac: [...macs] };
}

/** The name itself, or one that begins with it and is no other. */
function add(names: Set<string>, test: { readonly name: string; readonly prefix: boolean }): void {
  names.add(test.prefix ? `${test.name}${OTHER}` : test.name);
}
