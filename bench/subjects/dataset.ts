import { createHash } from "node:crypto";
import { printInPieces } from "../../src/index.js";
import type { DatasetPlan } from "../plan.js";
import type { ProcessResult } from "../processes.js";
import { POD_CIDR, writeRules } from "../workload/cluster.js";

/** What a rule set that is measured on is, as text: how large, and its checksum. The command that writes the same text stands beside it. */
export function describeDataset({ services, endpoints, seed }: DatasetPlan): ProcessResult {
  const { ruleset } = writeRules(services, endpoints, seed);
  const hash = createHash("sha256");
  let bytes = 0;
  for (const piece of printInPieces(ruleset)) {
    hash.update(piece);
    bytes += Buffer.byteLength(piece);
  }
  const rules = ruleset.tables.reduce(
    (sum, { chains }) => sum + chains.reduce((count, chain) => count + chain.rules.length, 0),
    0,
  );
  const dataset = {
    name: `synthetic cluster of ${services} services x ${endpoints} endpoints, seed ${seed}`,
    services,
    endpoints,
    rules,
    bytes,
    sha256: hash.digest("hex"),
    command: `chainwalk generate --services ${services} --endpoints ${endpoints} --seed ${seed} --pod-cidr ${POD_CIDR}`,
  };
  return { cases: [], datasets: [dataset] };
}
