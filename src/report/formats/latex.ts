import type { Document, Table } from "../document.js";
import { describeRun } from "../environment.js";
import type { Measurement } from "../measurement.js";
import { escapeLatex as escape } from "./escape.js";

/** The tables of a document, to be read in by `\input`; they need the package booktabs. The run stands in comments above them. */
export function formatLatex(document: Document, record: Measurement): string {
  const run = describeRun(record).map(([name, value]) => `% ${name}: ${value.replace(/[^\u0020-\u007e]/g, "?")}`);
  const tables = document.sections.flatMap(({ title, table }, i) =>
    table === undefined || table.rows.length === 0 ? [] : [formatTable(table, title, `tab:${document.study}-${i + 1}`)],
  );
  return `${[run.join("\n"), ...tables].join("\n\n")}\n`;
}

function formatTable({ columns, rows }: Table, caption: string, label: string): string {
  const line = (cells: readonly string[]) => `    ${cells.map(escape).join(" & ")} \\\\`;
  const height = Math.max(...columns.map(({ title }) => title.split("\n").length));
  const heads = Array.from({ length: height }, (_, at) =>
    line(columns.map(({ title }) => title.split("\n")[at - height + title.split("\n").length] ?? "")),
  );
  return [
    "\\begin{table}",
    "  \\centering",
    `  \\caption{${escape(caption)}}`,
    `  \\label{${label}}`,
    `  \\begin{tabular}{${columns.map(({ align }) => align[0]).join("")}}`,
    "    \\toprule",
    ...heads,
    "    \\midrule",
    ...rows.map(line),
    "    \\bottomrule",
    "  \\end{tabular}",
    "\\end{table}",
  ].join("\n");
}
