import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { drawFiles, formatMeasurement, type Measurement, PAGE, parseMeasurement } from "../src/index.js";

/**
 * Writes the record (JSON, with every sample) and all that is drawn from it into a directory; gives the paths. What was there of the study is
 * replaced; the page shows the other studies in the directory too.
 */
export async function writeResults(directory: string, record: Measurement): Promise<string[]> {
  await mkdir(directory, { recursive: true });
  const files = await drawFiles([record]);
  const others = await readOthers(directory, record.study);
  if (others.length > 0) files.set(PAGE, (await drawFiles([record, ...others])).get(PAGE)!);
  const all = [[`${record.study}.json`, formatMeasurement(record)], ...files] as const;
  for (const [name, text] of all) await writeFile(join(directory, name), text);
  return all.map(([name]) => join(directory, name));
}

/** Records of other studies; what is none, or of another version, is passed over. */
async function readOthers(directory: string, study: string): Promise<Measurement[]> {
  const names = (await readdir(directory)).filter((name) => name.endsWith(".json") && name !== `${study}.json`).sort();
  const records: Measurement[] = [];
  for (const name of names) {
    try {
      records.push(parseMeasurement(await readFile(join(directory, name), "utf8")));
    } catch {
      continue;
    }
  }
  return records;
}
