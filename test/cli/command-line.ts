/** The program in this process: words in, what it wrote and its exit code out. */
import { readdir, readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { run } from "../../src/cli/run.js";

export interface Ran {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
  /** Words the measuring program was called with. */
  readonly studies: readonly (readonly string[])[];
  /** Files it wrote, by path; nothing is written to the disk. */
  readonly written: ReadonlyMap<string, string>;
}

/** Files by name: what a command reads instead of the disk. */
export type Files = Readonly<Record<string, string | Uint8Array>>;

/** Runs `chainwalk WORDS`. Files that are not given are read from the disk; `-` reads the file named `-`. */
export async function chainwalk(words: readonly string[], files: Files = {}): Promise<Ran> {
  let stdout = "";
  let stderr = "";
  const studies: (readonly string[])[] = [];
  const written = new Map<string, string>();
  const bytes = (text: string | Uint8Array): Uint8Array => (typeof text === "string" ? Buffer.from(text) : text);
  const exitCode = await run(words, {
    readFile: (path) => (files[path] === undefined ? readFile(path) : Promise.resolve(bytes(files[path]))),
    readDirectory: (path) => {
      const names = Object.keys(files).filter((name) => name.startsWith(`${path}/`));
      return names.length > 0 ? Promise.resolve(names.map((name) => name.slice(path.length + 1))) : readdir(path);
    },
    writeFile: (path, text) => {
      written.set(path, text);
      return Promise.resolve();
    },
    readStandardInput: () => Promise.resolve(bytes(files["-"] ?? "")),
    write: (text) => void (stdout += text),
    complain: (text) => void (stderr += text),
    runStudies: (own) => {
      studies.push(own);
      return Promise.resolve(7);
    },
    colors: false,
    interactive: false,
  });
  return { exitCode, stdout, stderr, studies, written };
}

/** Words of a line; blanks separate them. */
export function words(line: string): string[] {
  return line.split(" ").filter((word) => word !== "");
}

const dataset = (name: string): string =>
  fileURLToPath(new URL(`../../datasets/nginx-clusterip/${name}`, import.meta.url));
export const NGINX_RULES = dataset("rules.iptables-save");
export const NGINX_LISTING = dataset("listing.txt");
