import { type Document, present } from "../../document.js";
import { describeRun } from "../../environment.js";
import { findCases, type Measurement } from "../../measurement.js";
import { median } from "../../../stats/summary.js";
import { describeMachine, describeStudy } from "../frame.js";
import { plotKernel } from "./plot.js";
import { drawChanges, drawPlaces, drawPredictions, drawSizes } from "./sections.js";
import { findNoise, judgeKernel, worstBaseline } from "./verdicts.js";

/** The report of the kernel study. */
export function documentKernel(record: Measurement): Document {
  const noise = findNoise(record);
  const run = new Map(describeRun(record));
  return {
    study: record.study,
    title: describeStudy(record).replace(" of processes", " of namespaces"),
    remarks: [
      `${describeMachine(record)}; ${run.get("compiler")}`,
      "The same synthetic clusters, loaded into the real kernel in a network namespace of their own. Packets come in through a TUN device, one " +
        "write() each, pass PREROUTING, routing, FORWARD and POSTROUTING, and leave by it. Times are CPU time of the sender, the mean over a batch " +
        "of 64: what the same packets take through an empty namespace (write() and forwarding) is subtracted, and stands beside. " +
        "± is half of the 95 % interval there, and the median absolute deviation elsewhere.",
      "Rules visited are the emulator's count, exact. eBPF runs our compiled service table by BPF_PROG_TEST_RUN: the lookup alone, no " +
        "conntrack and no translation, so its column is not a whole packet.",
      ...describeShare(record),
    ],
    sections: present([
      ...drawSizes(record),
      drawPlaces(record),
      ...drawPredictions(record),
      drawChanges(record),
      {
        title: "Targets",
        verdicts: judgeKernel(record),
        paragraphs: noise === undefined ? [] : [`This run is too noisy to conclude from: ${noise}.`],
      },
      record.notes.length === 0 ? undefined : { title: "", paragraphs: record.notes.map((note) => `Note: ${note}`) },
    ]),
    figures: [{ name: "kernel", caption: "A first packet in the real kernel", spec: plotKernel(record) }],
  };
}

/** A share of a CPU below this is told: CPU time leaves out the waiting, not what others do to the caches. */
const WHOLE_CPU = 0.9;

function describeShare(record: Measurement): string[] {
  const shares = findCases(record, { harness: "kernel" })
    .filter(({ factors }) => factors.packet !== undefined)
    .flatMap(({ rounds }) => rounds.map(({ cpuShare }) => cpuShare));
  const low = shares.filter((share) => share < WHOLE_CPU).length;
  if (low === 0) return [];
  return [
    `NOISE: in ${low} of ${shares.length} measurements the sender had to share its CPU (median ${Math.round(median(shares) * 100)} % of one): ` +
      "waiting is not in the times, what others do to the caches is. The way through an empty namespace took " +
      `${worstBaseline(record).toFixed(2)} times its median in the worst round.`,
  ];
}
