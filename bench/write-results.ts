import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { formatCsv, formatMeasurement, type Measurement } from "../src/index.js";

/** Writes the record (JSON, with every sample), its table (CSV) and its pictures (SVG); gives their paths. What was there is replaced. */
export async function writeResults(
  directory: string,
  record: Measurement,
  plots: readonly { name: string; svg: string }[],
): Promise<string[]> {
  await mkdir(directory, { recursive: true });
  const files: [string, string][] = [
    [`${record.study}.json`, formatMeasurement(record)],
    [`${record.study}.csv`, formatCsv(record)],
    ...plots.map(({ name, svg }): [string, string] => [`${name}.svg`, svg]),
  ];
  for (const [name, text] of files) await writeFile(join(directory, name), text);
  return files.map(([name]) => join(directory, name));
}
