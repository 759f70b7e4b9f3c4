import type { Document, Section, Verdict } from "../document.js";
import { drawTable, TABLE_WIDTH } from "../table.js";

/** The whole document as text, at most TABLE_WIDTH wide where words allow. */
export function formatText(document: Document): string {
  const lines = [...wrap(document.title), ...document.remarks.flatMap((remark) => wrap(remark)), ""];
  for (const section of document.sections) lines.push(...formatSection(section), "");
  return lines.join("\n");
}

function formatSection({ title, table, verdicts, paragraphs }: Section): string[] {
  return [
    ...(title === "" ? [] : [title]),
    ...(table === undefined ? [] : drawTable(table.columns, table.rows)),
    ...(verdicts === undefined ? [] : drawVerdicts(verdicts)),
    ...(paragraphs ?? []).flatMap((paragraph) => wrap(paragraph)),
  ];
}

function drawVerdicts(verdicts: readonly Verdict[]): string[] {
  const width = Math.max(...verdicts.map(({ outcome }) => outcome.length));
  return verdicts.flatMap(({ what, outcome, detail }) =>
    wrap(`${outcome.toUpperCase().padEnd(width)}  ${what}: ${detail}`, " ".repeat(width + 2)),
  );
}

/** Breaks a line between words; continuation lines are indented. */
export function wrap(text: string, indent = "  "): string[] {
  const lines: string[] = [];
  let rest = text;
  while (rest.length > TABLE_WIDTH) {
    const at = rest.lastIndexOf(" ", TABLE_WIDTH);
    if (at <= indent.length) break;
    lines.push(rest.slice(0, at).trimEnd());
    rest = indent + rest.slice(at + 1);
  }
  return [...lines, rest];
}
