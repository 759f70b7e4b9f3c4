/** The compiler: a rule set in, a plan for the indexed engine out. The whole of it is a few calls, one a pass. */
import type { Node } from "../../packet/node.js";
import type { ResolvedRuleSet } from "../../ruleset/resolve.js";
import type { ChainIndex } from "./chain-index.js";
import { type Columns, layOut } from "./columns.js";
import { layOutServices } from "./layout.js";
import { partition } from "./partition.js";
import { pick } from "./pick.js";
import { prune, type Pruned } from "./prune.js";
import type { ServiceTables } from "./services.js";
import { specialise } from "./specialise/specialise.js";

/** What the indexed engine runs. Made for one rule set on one node. */
export interface Plan {
  readonly resolved: ResolvedRuleSet;
  readonly node: Node;
  readonly pruned: Pruned;
  readonly columns: Columns;
  readonly indexes: readonly (ChainIndex | undefined)[];
  readonly tables: ServiceTables;
}

/** The names of the passes, in order. */
export const PASSES = ["resolve", "prune", "partition", "specialise", "pick", "layout"] as const;
export type PassName = (typeof PASSES)[number];

/** Resolving is the first pass: see ruleset/resolve.ts. The columns are the part of the layout that the passes in between read. */
export function compile(resolved: ResolvedRuleSet, node: Node): Plan {
  const pruned = prune(resolved);
  const columns = layOut(resolved, pruned);
  const indexes = partition(resolved, pruned);
  const services = specialise({ resolved, columns, indexes, node });
  const picked = pick(services);
  const tables = layOutServices(picked);
  return { resolved, node, pruned, columns, indexes, tables };
}
