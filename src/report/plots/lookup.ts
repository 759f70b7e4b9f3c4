import type { TopLevelSpec } from "vega-lite";
import { findCases, type Measurement } from "../measurement.js";
import { formatCount } from "../table.js";
import { costPlot } from "./costs.js";
import { type Line, scalingPlot } from "./scaling.js";

/** What stands in the legend, in the order of the colours. */
const lines = [
  { engine: "linear", packet: "first", label: "first packet: linear (column scan)" },
  { engine: "string-map", packet: "first", label: "first packet: Map keyed by string" },
  { engine: "indexed", packet: "first", label: "first packet: indexed" },
  { engine: "linear", packet: "established-chains", label: "established: entry, linear filter chains" },
  { engine: "indexed", packet: "established-chains", label: "established: entry, indexed filter chains" },
  { engine: "indexed", packet: "established-fast-path", label: "established: fast path" },
] as const;

/** ns per packet against services, both axes logarithmic. */
export function plotLookup(record: Measurement): TopLevelSpec | undefined {
  return scalingPlot(
    record,
    lines.map(({ engine, packet, label }): Line => {
      const found = findCases(record, { engine, packet, harness: "tinybench", destination: "uniform", ruleSets: 1 });
      const flows = Math.min(...found.map(({ factors }) => factors.flows ?? 0));
      const points = found
        .filter(({ factors }) => (factors.flows ?? 0) === flows)
        .map((one) => ({ x: one.factors.services ?? 0, one }));
      return { label, points };
    }),
    {
      title: "Cost of a packet to a Service",
      subtitle: "medians with 95 % intervals, uniform destinations",
      x: "services in the rule set",
      y: "ns per packet",
    },
  );
}

/** How the cost of a first packet is distributed, at the largest size. */
export function plotFirstPackets(record: Measurement): TopLevelSpec | undefined {
  const found = findCases(record, { packet: "first", harness: "tinybench", destination: "uniform", ruleSets: 1 });
  const services = Math.max(...found.map(({ factors }) => factors.services ?? 0));
  const cases = found
    .filter(({ factors }) => factors.services === services)
    .map((one) => ({ label: one.factors.engine, one }));
  return costPlot(record, cases, {
    title: "How the cost of a first packet is distributed",
    subtitle: `${formatCount(services)} services, uniform destinations`,
  });
}
