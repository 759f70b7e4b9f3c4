/** What a command touches of the world. A test hands in its own. */
import { spawn } from "node:child_process";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";

export interface Io {
  readFile(path: string): Promise<Uint8Array>;
  readStandardInput(): Promise<Uint8Array>;
  /** Names of what lies in a directory. */
  readDirectory(path: string): Promise<readonly string[]>;
  /** Writes a file; its directory is made where there is none. */
  writeFile(path: string, text: string): Promise<void>;
  /** Standard output. */
  write(text: string): void;
  /** Standard error. */
  complain(text: string): void;
  /** Runs the measuring program (bench/) with the same standard streams; the result is its exit code. */
  runStudies(words: readonly string[]): Promise<number>;
  /** Colours and other marks of a terminal may be written to standard output. */
  readonly colors: boolean;
  /** Standard error is a terminal: long work may show how far it is. */
  readonly interactive: boolean;
}

/** The process itself. Nobody reading standard output any more (`| head`) is no failure: the program ends quietly. */
export function processIo(): Io {
  process.stdout.on("error", (failure: NodeJS.ErrnoException) => {
    if (failure.code === "EPIPE") process.exit(0);
    throw failure;
  });
  process.stderr.on("error", (failure: NodeJS.ErrnoException) => {
    if (failure.code !== "EPIPE") throw failure;
  });
  return {
    readFile: (path) => readFile(path),
    readStandardInput,
    readDirectory: (path) => readdir(path),
    writeFile: async (path, text) => {
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, text);
    },
    write: (text) => void process.stdout.write(text),
    complain: (text) => void process.stderr.write(text),
    runStudies,
    colors: process.stdout.isTTY && !process.env.NO_COLOR && process.env.TERM !== "dumb",
    interactive: process.stderr.isTTY,
  };
}

async function readStandardInput(): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

/** Exit code of a program that a signal ended, as shells count it from (128 + signal number). */
const ENDED_BY_SIGNAL = 128;

/** As it lies beside this file in the built package: dist/bench/main.js. */
const STUDIES = new URL("../../bench/main.js", import.meta.url);

function runStudies(words: readonly string[]): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [fileURLToPath(STUDIES), ...words], { stdio: "inherit" });
    child.on("error", reject);
    child.on("exit", (code) => resolve(code ?? ENDED_BY_SIGNAL));
  });
}
