import { type Document, type Figure, left, right, type Verdict } from "../document.js";
import type { Measurement } from "../measurement.js";
import { LEAST_SPAN_PUBLISHED, type ClaimResult, type MeasuredSeries, testClaim, testShape } from "./claims.js";
import type { PublishedCurves, PublishedSource } from "./curves.js";
import { measuredSeries } from "./measured.js";
import { plotOverlay } from "./plot.js";
import { costOf, nameOf, seriesOverServices } from "./series.js";

/** What a run says of published curves: its shape drawn over theirs, and the claims on that shape tested. */
export function compareWithPublished(
  records: readonly Measurement[],
  curves: PublishedCurves,
): { document: Document; results: ClaimResult[] } {
  const measured = measuredSeries(records);
  const results = curves.claims.flatMap((claim) => testClaim(claim, measured));
  const document: Document = {
    study: "published",
    title: "Published curves, and what this run says of their shape",
    remarks: [
      curves.note,
      "Claims are tested on the measured points alone; nothing is fitted to a published curve. A published series is put to the same test for comparison.",
    ],
    sections: [
      { title: "Claims", verdicts: results.map(verdictOf) },
      {
        title: "The same tests on the published figures",
        table: { columns: COLUMNS, rows: curves.sources.flatMap(rowsOf) },
      },
    ],
    figures: curves.sources.flatMap((source) => figureOf(source, measured)),
  };
  return { document, results };
}

/** How outcomes are called in documents. */
const OUTCOMES = {
  pass: "pass",
  fail: "miss",
  "too noisy": "too noisy",
  "not tested": "not measured",
} as const satisfies Record<ClaimResult["outcome"], Verdict["outcome"]>;

const COLUMNS = [
  left("source"),
  left("series"),
  right("R squared\nof a line"),
  left("\nlinear"),
  right("largest /\nsmallest"),
  left("\nflat"),
];

function verdictOf({ claim, series, outcome, detail }: ClaimResult): Verdict {
  const what = series === null ? claim.says : `${claim.says} [${series}]`;
  return { what, outcome: OUTCOMES[outcome], detail };
}

function rowsOf(source: PublishedSource): string[][] {
  return seriesOverServices(source).map((one) => {
    const cost = costOf(source, one.values);
    const points = one.services.map((services, i) => ({ services, value: cost[i]! }));
    const [line, flat] = (["linear", "flat"] as const).map((shape) => testShape(shape, points, LEAST_SPAN_PUBLISHED));
    return [
      source.id,
      nameOf(one),
      line!.figure?.toFixed(3) ?? "-",
      line!.outcome,
      flat!.figure?.toFixed(2) ?? "-",
      flat!.outcome,
    ];
  });
}

function figureOf(source: PublishedSource, measured: readonly MeasuredSeries[]): Figure[] {
  if (seriesOverServices(source).length === 0) return [];
  return [
    {
      name: `published-${source.id}`,
      caption: `${source.title}: ${source.what}, ${source.reading.how}, with the first packets of this run`,
      spec: plotOverlay(source, measured),
    },
  ];
}
