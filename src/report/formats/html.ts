import type { Document, Section, Table, Verdict } from "../document.js";
import { describeRun } from "../environment.js";
import type { Measurement } from "../measurement.js";
import { formatCount } from "../table.js";
import { escapeHtml as escape } from "./escape.js";
import { STYLE } from "./html-style.js";

/** A study as it stands on the page: its document, the records it was drawn from, and its pictures by name, as SVG. */
export interface PagePart {
  readonly document: Document;
  readonly records: readonly Measurement[];
  readonly pictures: ReadonlyMap<string, string>;
}

/** One page of all studies that needs nothing else: no script, no font, no picture from elsewhere. */
export function formatPage(parts: readonly PagePart[]): string {
  const links = parts.map(({ document: { study } }) => `<a href="#${escape(study)}">${escape(study)}</a>`);
  return [
    "<!doctype html>",
    '<html lang="en">',
    "<head>",
    '<meta charset="utf-8">',
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    `<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">`,
    "<title>chainwalk bench</title>",
    `<style>${STYLE}</style>`,
    "</head>",
    "<body>",
    "<h1>chainwalk bench</h1>",
    `<nav>${links.join("\n")}</nav>`,
    ...parts.map(formatPart),
    "</body>",
    "</html>",
    "",
  ].join("\n");
}

function formatPart({ document, records, pictures }: PagePart): string {
  return [
    `<section id="${escape(document.study)}">`,
    `<h2>${escape(document.study)}</h2>`,
    ...document.remarks.slice(1).map((remark) => `<p>${escape(remark)}</p>`),
    ...document.figures.flatMap(({ name, caption }) => {
      const picture = pictures.get(name);
      return picture === undefined ? [] : [formatPicture(picture, caption)];
    }),
    ...document.sections.map(formatSection),
    "<h3>Make it again</h3>",
    ...records.flatMap((record) => [
      ...record.runs.map(({ command }) => `<pre>${escape(command.join(" "))}</pre>`),
      formatPairs(describeRun(record)),
      formatDatasets(record),
    ]),
    "</section>",
  ].join("\n");
}

/** As a data URL: identifiers inside one picture cannot meet those of another. */
function formatPicture(svg: string, caption: string): string {
  const url = `data:image/svg+xml;base64,${Buffer.from(svg).toString("base64")}`;
  return `<figure><img src="${url}" alt="${escape(caption)}"><figcaption>${escape(caption)}</figcaption></figure>`;
}

function formatSection({ title, table, verdicts, paragraphs }: Section): string {
  return [
    ...(title === "" ? [] : [`<h3>${escape(title)}</h3>`]),
    ...(table === undefined ? [] : [formatTable(table)]),
    ...(verdicts === undefined ? [] : [formatVerdicts(verdicts)]),
    ...(paragraphs ?? []).map((paragraph) => `<p>${escape(paragraph)}</p>`),
  ].join("\n");
}

function formatTable({ columns, rows }: Table): string {
  const cell = (tag: string, text: string, i: number) =>
    `<${tag} class="${columns[i]?.align ?? "left"}">${text}</${tag}>`;
  const head = columns.map(({ title }, i) => cell("th", escape(title).replaceAll("\n", "<br>"), i)).join("");
  const body = rows.map((row) => `<tr>${row.map((text, i) => cell("td", escape(text), i)).join("")}</tr>`);
  return `<div class="wide"><table><thead><tr>${head}</tr></thead><tbody>\n${body.join("\n")}\n</tbody></table></div>`;
}

function formatVerdicts(verdicts: readonly Verdict[]): string {
  const rows = verdicts.map(({ outcome, what, detail }) => {
    const mark = `<strong class="${outcome.replace(" ", "-")}">${escape(outcome.toUpperCase())}</strong>`;
    return `<tr><td>${mark}</td><td>${escape(what)}</td><td>${escape(detail)}</td></tr>`;
  });
  return `<div class="wide"><table class="words"><tbody>\n${rows.join("\n")}\n</tbody></table></div>`;
}

function formatPairs(pairs: readonly (readonly [string, string])[]): string {
  const rows = pairs.map(([name, value]) => `<tr><th class="left">${escape(name)}</th><td>${escape(value)}</td></tr>`);
  return `<div class="wide"><table class="words"><tbody>\n${rows.join("\n")}\n</tbody></table></div>`;
}

function formatDatasets({ datasets }: Measurement): string {
  if (datasets.length === 0) return "";
  const rows = datasets.map(({ command, rules, bytes, sha256 }) => {
    return `<tr><td><code>${escape(command)}</code></td><td class="right">${formatCount(rules)}</td><td class="right">${formatCount(bytes)}</td><td><code>${escape(sha256)}</code></td></tr>`;
  });
  return (
    '<div class="wide"><table class="words"><thead><tr><th class="left">rule set</th><th class="right">rules</th>' +
    '<th class="right">bytes</th><th class="left">sha256 of the text</th></tr></thead>' +
    `<tbody>\n${rows.join("\n")}\n</tbody></table></div>`
  );
}
