import type { Measurement } from "./measurement.js";
import { formatFigure } from "./table.js";

/** Where and how a record was taken, as `name: value` pairs in reading order: printed over tables, and written into files. */
export function describeRun(record: Measurement): (readonly [name: string, value: string])[] {
  const { environment: env } = record;
  return [
    ["study", record.study],
    ["seed", String(record.seed)],
    ["rounds", String(record.rounds)],
    ["started", record.started],
    ["chainwalk", env.chainwalk],
    ["node", `${env.node} (V8 ${env.v8})`],
    ["flags", env.nodeFlags.length > 0 ? env.nodeFlags.join(" ") : "none"],
    ["cpu", `${env.cpu}, ${env.cpus} CPUs`],
    ["kernel", `${env.platform} ${env.kernel}`],
    ["memory", `${formatFigure(env.memoryBytes / 2 ** 30)} GiB`],
    ["tinybench", env.tinybench],
    ["benchmark.js", env.benchmarkJs ?? "not installed"],
    ["compiler", env.compiler ?? "none"],
    ["command", record.command.join(" ")],
  ];
}
