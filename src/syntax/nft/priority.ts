/** Priorities of base chains by name (std_prios, src/rule.c): raw, mangle, dstnat, filter, security, srcnat, each with an offset. */
import type { Hook } from "../../ruleset/types.js";

interface Named {
  readonly name: string;
  readonly priority: number;
  /** The only hook where the name means something. */
  readonly hook?: Hook;
}

const names: readonly Named[] = [
  { name: "raw", priority: -300 },
  { name: "mangle", priority: -150 },
  { name: "dstnat", priority: -100, hook: "prerouting" },
  { name: "filter", priority: 0 },
  { name: "security", priority: 50 },
  { name: "srcnat", priority: 100, hook: "postrouting" },
];
/** Farthest from a name that nft still prints the name. */
const NEAR = 10;

/** The number of a name; undefined where it has none at this hook. */
export function priorityOf(name: string, hook: Hook): number | undefined {
  return names.find((one) => one.name === name && (one.hook === undefined || one.hook === hook))?.priority;
}

export function formatPriority(priority: number, hook: Hook): string {
  const near = names.find(
    (one) => Math.abs(one.priority - priority) <= NEAR && (one.hook === undefined || one.hook === hook),
  );
  if (near === undefined) return String(priority);
  const offset = priority - near.priority;
  return offset === 0 ? near.name : `${near.name} ${offset < 0 ? "-" : "+"} ${Math.abs(offset)}`;
}

export const priorityNames = names.map((one) => one.name);
