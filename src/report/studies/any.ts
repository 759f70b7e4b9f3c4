import { type Document, right, left } from "../document.js";
import { EXACT_NAMES, FACTOR_NAMES, type Measurement } from "../measurement.js";
import { medianInterval, summarizeRounds } from "../rounds.js";
import { formatCount, formatFigure } from "../table.js";
import { frame } from "./frame.js";

/** A report of a study that has none of its own: every case with its factors, exact columns and times. */
export function documentAny(record: Measurement): Document {
  const differ = FACTOR_NAMES.filter((name) => new Set(record.cases.map(({ factors }) => factors[name])).size > 1);
  const exact = EXACT_NAMES.filter(
    (name) => name !== "checksum" && record.cases.some((one) => one.exact[name] !== undefined),
  );
  const rows = record.cases.map((one) => {
    const { low, high } = medianInterval(one.rounds);
    return [
      ...differ.map((name) => show(one.factors[name])),
      ...exact.map((name) => show(one.exact[name])),
      `${formatFigure(summarizeRounds(one.rounds).median)} [${formatFigure(low)}, ${formatFigure(high)}]`,
      `${one.unit} per ${one.per}`,
    ];
  });
  const columns = [
    ...differ.map((name) =>
      (record.cases.some(({ factors }) => typeof factors[name] === "number") ? right : left)(words(name)),
    ),
    ...exact.map((name) => right(words(name))),
    right("median [95 %]"),
    left("unit"),
  ];
  return frame(record, [{ title: "Cases", table: { columns, rows } }], []);
}

function show(value: string | number | undefined): string {
  return typeof value === "number" ? formatCount(value) : (value ?? "-");
}

/** `rulesVisited` -> `rules visited`, on two lines. */
function words(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `\n${letter.toLowerCase()}`);
}
