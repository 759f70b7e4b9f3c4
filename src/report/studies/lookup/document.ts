import { type Document, figures } from "../../document.js";
import type { Measurement } from "../../measurement.js";
import { plotFirstPackets, plotLookup } from "../../plots/lookup.js";
import { frame } from "../frame.js";
import {
  describeHarnesses,
  describePicks,
  drawAlive,
  drawConnections,
  drawDestinations,
  drawReference,
  drawSizes,
} from "./sections.js";
import { findLookupNoise, judgeLookup } from "./verdicts.js";

/** The report of the lookup study. */
export function documentLookup(record: Measurement): Document {
  const noise = findLookupNoise(record);
  return frame(
    record,
    [
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
    ],
    figures([
      ["lookup", "Cost of a packet to a Service", plotLookup(record)],
      ["lookup-costs", "How the cost of a first packet is distributed", plotFirstPackets(record)],
    ]),
    [
      "p99 is of batch means. Rules visited and map lookups are exact, per packet.",
      ...(record.quick ? ["QUICK RUN: one size of rule set, few processes: no growth, little spread."] : []),
    ],
  );
}
