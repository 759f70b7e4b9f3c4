import { type BenchCase, type Measurement } from "../measurement.js";
import { findBusy } from "../noise.js";
import { summarizeRounds } from "../rounds.js";
import type { MeasuredSeries } from "./claims.js";

/** Which mode of the proxy an engine, or a table of the real kernel, stands for; others have no published curve. */
const MODES: ReadonlyMap<string, string> = new Map([
  ["linear", "iptables"],
  ["iptables-legacy", "iptables"],
  ["iptables-nft", "iptables"],
  ["nft-linear", "nftables"],
  ["nft-map", "nftables"],
  ["nft-maps", "nftables"],
  ["indexed", "ebpf"],
  ["ebpf", "ebpf"],
]);

/**
 * The series over the number of services that records hold, one rule set alive, each at its median: packets to uniform destinations, and to
 * the last service alone. The latter's chains stay in the caches at every size, so that what grows is the walk; uniform ones grow with the
 * memory they touch too.
 */
export function measuredSeries(records: readonly Measurement[]): MeasuredSeries[] {
  const series = new Map<
    string,
    { mode: string; packet: "first" | "established"; name: string; at: Map<number, BenchCase> }
  >();
  for (const one of records.flatMap(({ cases }) => cases)) {
    const { engine, harness, build, packet, destination, services, ruleSets, flows } = one.factors;
    const mode = MODES.get(engine);
    if (
      mode === undefined ||
      packet === undefined ||
      services === undefined ||
      one.unit !== "ns" ||
      one.per !== "packet"
    )
      continue;
    if (harness === "benchmark.js" || build === "other" || (ruleSets ?? 1) > 1) continue;
    // In the kernel a first packet always passes conntrack too.
    const first = packet === "first" || (harness === "kernel" && packet === "first-datapath");
    const kind = first ? "first" : packet.startsWith("established") ? "established" : undefined;
    if (kind === undefined || !SHOWN.has(destination)) continue;
    const to = destination === "last" ? " to the last service" : "";
    const name = `${engine}, ${packet}${to}${flows === undefined || flows === 0 ? "" : `, ${flows} flows`}${harness === "kernel" ? " (kernel)" : ""}`;
    const found = series.get(name) ?? { mode, packet: kind, name, at: new Map<number, BenchCase>() };
    series.set(name, found);
    if (!found.at.has(services)) found.at.set(services, one);
  }
  return [...series.values()].map(({ at, ...rest }) => ({
    ...rest,
    ...noted(findBusy([...at.values()])),
    points: [...at]
      .map(([services, one]) => ({ services, value: summarizeRounds(one.rounds).median }))
      .sort((a, b) => a.services - b.services),
  }));
}

const SHOWN: ReadonlySet<string | undefined> = new Set([undefined, "uniform", "last"]);

const noted = (noise: string | undefined): { noise?: string } => (noise === undefined ? {} : { noise });
