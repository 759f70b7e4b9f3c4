import type { Document } from "./document.js";
import { describeRun } from "./environment.js";
import { formatCsv } from "./formats/csv.js";
import { formatPage, type PagePart } from "./formats/html.js";
import { formatLatex } from "./formats/latex.js";
import { formatMarkdown } from "./formats/markdown.js";
import { renderSvg } from "./formats/svg.js";
import type { Measurement } from "./measurement.js";
import { compareStudies, documentOf } from "./studies/index.js";

/** The page of all studies among the files. */
export const PAGE = "report.html";
/** What a run says of published curves: the name of its files. */
export const PUBLISHED = "published";

/**
 * Everything that is drawn from records, by file name: of each study its tables (CSV, Markdown, LaTeX) and pictures (SVG), and one page of all. The
 * same records give the same bytes.
 */
export async function drawFiles(records: readonly Measurement[]): Promise<Map<string, string>> {
  const files = new Map<string, string>();
  const parts: PagePart[] = [];
  for (const record of records.toSorted((a, b) => compareStudies(a.study, b.study))) {
    const document = documentOf(record);
    const pictures = new Map<string, string>();
    for (const { name, spec } of document.figures) pictures.set(name, await renderSvg(spec, describeRun(record)));
    files.set(`${record.study}.csv`, formatCsv(record));
    files.set(`${record.study}.md`, formatMarkdown(document));
    files.set(`${record.study}.tex`, formatLatex(document, record));
    for (const [name, svg] of pictures) files.set(`${name}.svg`, svg);
    parts.push({ document, records: [record], pictures });
  }
  files.set(PAGE, formatPage(parts));
  return files;
}

/** What records say of published curves, by file name: its tables (Markdown), pictures (SVG) and a page of its own. */
export async function drawOverlay(document: Document, records: readonly Measurement[]): Promise<Map<string, string>> {
  const pictures = new Map<string, string>();
  const metadata = records.flatMap((record) => describeRun(record));
  for (const { name, spec } of document.figures) pictures.set(name, await renderSvg(spec, metadata));
  return new Map([
    [`${PUBLISHED}.md`, formatMarkdown(document)],
    ...[...pictures].map(([name, svg]) => [`${name}.svg`, svg] as const),
    [`${PUBLISHED}.html`, formatPage([{ document, records, pictures }])],
  ]);
}
