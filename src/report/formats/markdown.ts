import type { Document, Section, Table, Verdict } from "../document.js";
import { escapeMarkdown as escape } from "./escape.js";

/** The document as Markdown (GitHub's tables); pictures are linked by their file names. */
export function formatMarkdown(document: Document): string {
  const parts = [
    `# ${escape(document.title)}`,
    ...document.remarks.map(escape),
    ...document.sections.map(formatSection),
    ...document.figures.map(({ name, caption }) => `![${escape(caption)}](${name}.svg)`),
  ];
  return `${parts.join("\n\n")}\n`;
}

function formatSection({ title, table, verdicts, paragraphs }: Section): string {
  return [
    ...(title === "" ? [] : [`## ${escape(title)}`]),
    ...(table === undefined ? [] : [formatTable(table)]),
    ...(verdicts === undefined ? [] : [formatVerdicts(verdicts)]),
    ...(paragraphs ?? []).map(escape),
  ].join("\n\n");
}

function formatTable({ columns, rows }: Table): string {
  const line = (cells: readonly string[]) => `| ${cells.map(escape).join(" | ")} |`;
  const marks = columns.map(({ align }) => (align === "left" ? ":--" : "--:"));
  return [line(columns.map(({ title }) => title)), `| ${marks.join(" | ")} |`, ...rows.map(line)].join("\n");
}

function formatVerdicts(verdicts: readonly Verdict[]): string {
  return verdicts
    .map(({ outcome, what, detail }) => `- **${outcome.toUpperCase()}** ${escape(what)}: ${escape(detail)}`)
    .join("\n");
}
