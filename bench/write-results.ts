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

/** Writes the record of a shard, and draws nothing: `chainwalk report` does when all are there. */
export async function writeShard(directory: string, record: Measurement): Promise<string[]> {
  await mkdir(directory, { recursive: true });
  const { index, count } = record.runs[0]!.shard!;
  const file = join(directory, `${record.study}.shard-${index}-of-${count}.json`);
  await writeFile(file, formatMeasurement(record));
  return [file];
}

/** Records of other studies; what is none, or of another version, is passed over. */
async function readOthers(directory: string, study: string): Promise<Measurement[]> {
  const names = (await readdir(directory)).filter((name) => name.endsWith(".json") && name !== `${study}.json`).sort();
  const records: Measurement[] = [];
  for (const name of names) {
    try {
      const record = parseMeasurement(await readFile(join(directory, name), "utf8"));
      const isShard = record.runs.length === 1 && record.runs[0]!.shard !== null;
      if (!isShard && record.study !== study) records.push(record);
    } catch {
      continue;
    }
  }
  return records;
}
