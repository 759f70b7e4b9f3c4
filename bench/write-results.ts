import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describeRun, type Document, formatCsv, formatMeasurement, type Measurement, renderSvg } from "../src/index.js";

/** Writes the record (JSON, with every sample), its table (CSV) and its pictures (SVG); gives their paths. What was there is replaced. */
export async function writeResults(directory: string, record: Measurement, document: Document): Promise<string[]> {
  await mkdir(directory, { recursive: true });
  const files: [string, string][] = [
    [`${record.study}.json`, formatMeasurement(record)],
    [`${record.study}.csv`, formatCsv(record)],
  ];
  for (const { name, spec } of document.figures)
    files.push([`${name}.svg`, await renderSvg(spec, describeRun(record))]);
  for (const [name, text] of files) await writeFile(join(directory, name), text);
  return files.map(([name]) => join(directory, name));
}
