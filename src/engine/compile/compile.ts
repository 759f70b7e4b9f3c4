/** The compiler: a rule set in, a plan for the indexed engine out. The whole of it is a few calls. */
import type { Node } from "../../packet/node.js";
import type { ResolvedRuleSet } from "../../ruleset/resolve.js";
import { type Columns, layOut } from "./columns.js";
import { Fuser } from "./fuse.js";
import { type ChainIndex, partition } from "./partition.js";
import type { ServiceTables } from "./services.js";
import { tabulate } from "./tabulate.js";

/** What the indexed engine runs. Made for one rule set on one node. */
export interface Plan {
  readonly resolved: ResolvedRuleSet;
  readonly node: Node;
  readonly columns: Columns;
  readonly indexes: readonly (ChainIndex | undefined)[];
  readonly tables: ServiceTables;
}

export function compile(resolved: ResolvedRuleSet, node: Node): Plan {
  const columns = layOut(resolved);
  const indexes = partition(resolved);
  const services = new Fuser({ resolved, columns, indexes, node }).all();
  const tables = tabulate(services);
  return { resolved, node, columns, indexes, tables };
}
