import { createHash } from "node:crypto";
import {
  type Dataset,
  type NodeFacts,
  printInPieces,
  printNftInPieces,
  remarkNode,
  type RuleSet,
} from "../../src/index.js";
import { POD_CIDR, type ProxyMode } from "./cluster.js";

/** A synthetic cluster that rules were written for. */
export interface DatasetSize {
  readonly services: number;
  readonly endpoints: number;
  readonly seed: number;
  /** Absent: iptables. */
  readonly mode?: ProxyMode;
  /** What makes it another than the usual one: for its name, and as options of `chainwalk generate`. */
  readonly variant?: { readonly name: string; readonly options: string };
}

/** What a rule set that is measured on is as text: how large, its checksum, and the command that writes the same text. */
export function datasetOf(ruleset: RuleSet, node: NodeFacts, size: DatasetSize): Dataset {
  const { mode = "iptables", services, endpoints, seed, variant } = size;
  const hash = createHash("sha256");
  let bytes = 0;
  const print = mode === "nftables" ? printNftInPieces : printInPieces;
  for (const piece of print(remarkNode(ruleset, node))) {
    hash.update(piece);
    bytes += Buffer.byteLength(piece);
  }
  const chains = ruleset.tables.flatMap((table) => table.chains);
  const own = [
    ...(mode === "iptables" ? [] : [{ name: `${mode} mode`, options: `--mode ${mode}` }]),
    ...(variant === undefined ? [] : [variant]),
  ];
  const names = own.map(({ name }) => `, ${name}`).join("");
  const options = own.map((one) => ` ${one.options}`).join("");
  return {
    name: `synthetic cluster of ${services} services x ${endpoints} endpoints${names}, seed ${seed}`,
    services,
    endpoints,
    rules: chains.reduce((sum, chain) => sum + chain.rules.length, 0),
    bytes,
    sha256: hash.digest("hex"),
    command: `chainwalk generate --services ${services} --endpoints ${endpoints} --seed ${seed}${options} --pod-cidr ${POD_CIDR}`,
  };
}
