/** Files and standard input. */
import { error } from "../ruleset/problem.js";
import { InputError, UsageError } from "./failure.js";
import type { Io } from "./io.js";

export interface Input {
  /** As errors name it. */
  readonly name: string;
  readonly bytes: Uint8Array;
}

const reasons: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file",
  EISDIR: "this is a directory, not a file",
  EACCES: "permission denied",
  ENOTDIR: "a part of the path is no directory",
  ERR_FS_FILE_TOO_LARGE: "the file is larger than 2 GiB",
};

/** Inputs that already took standard input, by run. */
const taken = new WeakSet<Io>();

/** Reads a file, or standard input where the path is `-`. Throws InputError, and UsageError where standard input is asked for twice. */
export async function readInput(path: string, io: Io): Promise<Input> {
  if (path === "-") {
    if (taken.has(io)) throw new UsageError("standard input can be read only once: two options say -");
    taken.add(io);
    return { name: "<stdin>", bytes: await io.readStandardInput() };
  }
  try {
    return { name: path, bytes: await io.readFile(path) };
  } catch (failure) {
    throw unreadable(path, failure);
  }
}

/** The error for a path that could not be read. */
export function unreadable(path: string, failure: unknown): InputError {
  const { code, message } = failure as NodeJS.ErrnoException;
  return new InputError({ file: path }, [error("unreadable", `cannot read it: ${reasons[code ?? ""] ?? message}`)]);
}
