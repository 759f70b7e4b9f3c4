import { describeRun } from "../../environment.js";
import { type Document, present } from "../../document.js";
import type { Measurement } from "../../measurement.js";
import { plotLookup } from "./plot.js";
import {
  describeHarnesses,
  describePicks,
  drawAlive,
  drawConnections,
  drawDestinations,
  drawReference,
  drawSizes,
} from "./sections.js";
import { findNoise, judgeLookup } from "./verdicts.js";

/** The report of the lookup study. */
export function documentLookup(record: Measurement): Document {
  const noise = findNoise(record);
  return {
    study: record.study,
    title: describeStudy(record),
    remarks: [
      describeMachine(record),
      "Median ± median absolute deviation; a sample is the mean over one batch, so no tail of single packets is " +
        "measured: p99 is of batch means. Rules visited and map lookups are exact, per packet.",
      ...(record.quick
        ? ["QUICK RUN: the largest rule set alone, one round of processes: no spread between processes, no growth."]
        : []),
    ],
    sections: present([
      drawSizes(record),
      drawDestinations(record),
      drawAlive(record),
      drawConnections(record),
      drawReference(record),
      { title: "", paragraphs: [describeHarnesses(record), ...describePicks(record)] },
      {
        title: "Targets",
        verdicts: judgeLookup(record),
        paragraphs: noise === undefined ? [] : [`This run is too noisy to conclude from: ${noise}.`],
      },
      record.notes.length === 0 ? undefined : { title: "", paragraphs: record.notes.map((note) => `Note: ${note}`) },
    ]),
    figures: [{ name: "lookup", caption: "Cost of a packet to a Service", spec: plotLookup(record) }],
  };
}

/** `chainwalk bench, study lookup: seed 1, rounds 3 of processes, 151 s`. */
export function describeStudy(record: Measurement): string {
  const run = new Map(describeRun(record));
  const seconds = record.runs.reduce((sum, run) => sum + run.seconds, 0);
  return `chainwalk bench, study ${record.study}: seed ${record.seed}, rounds ${run.get("rounds")} of processes, ${Math.round(seconds)} s`;
}

export function describeMachine(record: Measurement): string {
  const run = new Map(describeRun(record));
  const values = (...names: string[]) => names.map((name) => `${name} ${run.get(name)}`).join(", ");
  return `${values("chainwalk", "node")}; ${run.get("cpu")}; ${run.get("kernel")}; flags ${run.get("flags")}`;
}
