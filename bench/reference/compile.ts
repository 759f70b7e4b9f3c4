import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { packageRoot } from "../environment.js";
import type { ReferenceProgram } from "../plan.js";

export const COMPILER_FLAGS = ["-O3", "-march=native", "-std=c11"] as const;
const PROGRAMS: readonly ReferenceProgram[] = ["lookup", "walk", "conntrack"];

/** Compiles the C programs into a directory; gives what the compiler said where one fails, else undefined. */
export function compileReferences(directory: string): string | undefined {
  for (const program of PROGRAMS) {
    const source = join(packageRoot(), "bench", "reference", `${program}.c`);
    try {
      execFileSync("cc", [...COMPILER_FLAGS, "-o", programPath(directory, program), source], {
        encoding: "utf8",
        stdio: ["ignore", "ignore", "pipe"],
      });
    } catch (error) {
      const { stderr } = error as { stderr?: string };
      return (stderr ?? String(error)).split("\n").slice(0, 3).join(" ");
    }
  }
  return undefined;
}

/** Where `compileReferences` puts a program. */
export function programPath(directory: string, program: ReferenceProgram): string {
  return join(directory, program);
}
