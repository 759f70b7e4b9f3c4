/** Widest table that is readable in a terminal and in the log of a CI run. */
export const TABLE_WIDTH = 100;

export interface TableColumn {
  /** One or more lines. */
  readonly title: string;
  readonly align: "left" | "right";
}

/** Lines of a table: titles (their last lines on the line above the rule), a rule, the rows. No line ends in a blank. */
export function drawTable(columns: readonly TableColumn[], rows: readonly (readonly string[])[]): string[] {
  const titles = columns.map((column) => column.title.split("\n"));
  const height = Math.max(...titles.map((lines) => lines.length));
  const widths = columns.map((_, i) =>
    Math.max(...titles[i]!.map((line) => line.length), ...rows.map((row) => (row[i] ?? "").length)),
  );
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, i) => (columns[i]!.align === "left" ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)))
      .join("  ")
      .trimEnd();
  const head = Array.from({ length: height }, (_, at) =>
    line(titles.map((lines) => lines[at - (height - lines.length)] ?? "")),
  );
  return [...head, widths.map((width) => "-".repeat(width)).join("  "), ...rows.map((row) => line(row))];
}

/** A figure in three significant digits, thousands separated: `8.61`, `14.2`, `356`, `25,100`. */
export function formatFigure(value: number): string {
  if (!Number.isFinite(value)) return "-";
  const digits = value === 0 ? 0 : Math.floor(Math.log10(Math.abs(value)));
  if (digits >= 3) {
    const unit = 10 ** (digits - 2);
    return groupThousands(Math.round(value / unit) * unit);
  }
  return value.toFixed(Math.min(2, Math.max(0, 2 - digits)));
}

/** An exact count: no decimals where it is whole, else two; thousands separated. */
export function formatCount(value: number): string {
  if (Number.isInteger(value)) return groupThousands(value);
  const [whole, fraction] = value.toFixed(2).split(".");
  return `${groupThousands(Number(whole))}.${fraction}`;
}

function groupThousands(value: number): string {
  return String(value).replace(/\B(?=(\d{3})+$)/g, ",");
}
