/** Records of studies: one file, or all that lie in a directory. */
import { join } from "node:path";
import { describeIssue, type Measurement, MeasurementError, parseMeasurement } from "../../report/measurement.js";
import { MergeError, mergeRecords, type NamedRecord } from "../../report/merge.js";
import { error, ProblemError } from "../../ruleset/problem.js";
import { spanAt } from "../../syntax/input.js";
import { InputError } from "../failure.js";
import type { Io } from "../io.js";
import { type JsonNode, parseJson } from "../json-text.js";
import { readInput, unreadable } from "../read-input.js";

/**
 * One record of each study that lies at the paths, shards merged. Throws InputError where there is none, one is damaged, or they do not
 * make up studies.
 */
export async function readRecords(paths: readonly string[], io: Io): Promise<Measurement[]> {
  const named = (await Promise.all(paths.map((path) => readPath(path, io)))).flat();
  try {
    return mergeRecords(named);
  } catch (failure) {
    if (!(failure instanceof MergeError)) throw failure;
    throw new InputError({ file: failure.file }, [error("no-whole-study", failure.message)]);
  }
}

async function readPath(path: string, io: Io): Promise<NamedRecord[]> {
  if (path.endsWith(".json")) return [{ name: path, record: await readRecord(path, io) }];
  let names: readonly string[];
  try {
    names = (await io.readDirectory(path)).filter((name) => name.endsWith(".json")).toSorted();
  } catch (failure) {
    throw unreadable(path, failure);
  }
  if (names.length === 0)
    throw new InputError({ file: path }, [
      error("no-record", "no record lies here: expected the directory of chainwalk bench, with STUDY.json in it"),
    ]);
  const files = names.map((name) => join(path, name));
  return Promise.all(files.map(async (name) => ({ name, record: await readRecord(name, io) })));
}

async function readRecord(path: string, io: Io): Promise<Measurement> {
  const { name, bytes } = await readInput(path, io);
  const text = new TextDecoder().decode(bytes);
  try {
    return parseMeasurement(text);
  } catch (failure) {
    throw new InputError({ file: name, text }, problemsOf(failure, text));
  }
}

function problemsOf(failure: unknown, text: string) {
  try {
    const root = parseJson(text);
    if (!(failure instanceof MeasurementError)) throw failure;
    return failure.issues.map((issue) =>
      error(
        "bad-record",
        `no record of this version: ${describeIssue(issue)}`,
        spanAt(text, placeOf(root, issue.path)),
      ),
    );
  } catch (again) {
    if (again instanceof ProblemError) return again.problems;
    throw again;
  }
}

/** Where the value stands that a path leads to; as far as there is one. */
function placeOf(root: JsonNode, path: readonly (string | number)[]): number {
  let node = root;
  for (const step of path) {
    const next: JsonNode | undefined =
      node.kind === "object"
        ? node.members.get(String(step))
        : node.kind === "array"
          ? node.items[Number(step)]
          : undefined;
    if (next === undefined) break;
    node = next;
  }
  return node.at;
}
