import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import os from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { BenchEnvironment } from "../src/index.js";

/** Flags that measuring processes are started with: room for the largest rule sets, nothing else. */
export const MEASURING_FLAGS = ["--max-old-space-size=4096"] as const;

/** The folder of the package, whether this file runs from dist or from the sources. */
export function packageRoot(): string {
  return findPackage(dirname(fileURLToPath(import.meta.url)))!;
}

/** Where a record is taken. `compiler` as `describeCompiler` gives it. */
export function readEnvironment(compiler: string | null): BenchEnvironment {
  return {
    chainwalk: versionIn(packageRoot()),
    git: describeCommit(packageRoot()),
    node: process.versions.node,
    v8: process.versions.v8,
    platform: `${process.platform} ${process.arch}`,
    kernel: os.release(),
    cpu: os.cpus()[0]?.model.trim() ?? "unknown",
    cpus: os.cpus().length,
    memoryBytes: os.totalmem(),
    nodeFlags: [...MEASURING_FLAGS, ...(process.env.NODE_OPTIONS?.split(" ").filter(Boolean) ?? [])],
    tinybench: installedVersion("tinybench") ?? "unknown",
    benchmarkJs: installedVersion("benchmark"),
    compiler,
    timerResolution: measureResolution(),
  };
}

/** The commit of a checkout, `-dirty` behind it where files were changed; null where the folder is none. */
export function describeCommit(folder: string): string | null {
  if (!existsSync(join(folder, ".git"))) return null;
  try {
    const words = ["-C", folder, "describe", "--always", "--abbrev=40", "--exclude=*", "--dirty"];
    return execFileSync("git", words, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
  } catch {
    return null;
  }
}

/** The version of a package that this one can import; null where it is not installed. */
export function installedVersion(name: string): string | null {
  for (const folder of createRequire(import.meta.url).resolve.paths(name) ?? []) {
    const found = join(folder, name);
    if (existsSync(join(found, "package.json"))) return versionIn(found);
  }
  return null;
}

/** First line of `cc --version`; null where there is no C compiler. */
export function findCompiler(): string | null {
  try {
    return execFileSync("cc", ["--version"], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).split("\n")[0]!;
  } catch {
    return null;
  }
}

function findPackage(folder: string): string | undefined {
  for (let at = folder; ; at = dirname(at)) {
    if (existsSync(join(at, "package.json"))) return at;
    if (dirname(at) === at) return undefined;
  }
}

function versionIn(folder: string): string {
  return (JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as { version: string }).version;
}

/** Smallest step between two readings of the clock tinybench uses, in nanoseconds. */
function measureResolution(): number {
  let least = Infinity;
  for (let i = 0; i < 10_000; i++) {
    const from = performance.now();
    const step = performance.now() - from;
    if (step > 0 && step < least) least = step;
  }
  return Number.isFinite(least) ? Math.round(least * 1e6) : 0;
}
