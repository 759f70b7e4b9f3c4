/** Runs the command of a claim: its stages as processes of this Node, one piped into the next, no shell between. */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import type { Ran } from "./judge.js";
import { programOf } from "./read.js";

/**
 * Runs a command of claims.json in `root`, the folder of the package. The exit code is that of the last stage, or of the first that ended
 * with another than 0 before it; -1 stands for one that was killed or could not be started.
 */
export async function runCommand(command: string, root: string): Promise<Ran> {
  const start = performance.now();
  const children = command.split(" | ").map((stage) => {
    const { script, words } = programOf(stage)!;
    return spawn(process.execPath, [join(root, script), ...words], { cwd: root, stdio: "pipe" });
  });
  let [stdout, stderr] = ["", ""];
  children.forEach(({ stdin, stdout: output, stderr: errors }, i) => {
    // A stage that ends early closes the pipe; its exit code says why.
    stdin.on("error", () => {});
    errors.setEncoding("utf8").on("data", (text: string) => (stderr += text));
    const next = children[i + 1];
    if (next === undefined) output.setEncoding("utf8").on("data", (text: string) => (stdout += text));
    else output.pipe(next.stdin);
  });
  children[0]!.stdin.end();
  const codes = await Promise.all(
    children.map(
      (child) =>
        new Promise<number>((done) => {
          child.on("error", () => done(-1));
          child.on("close", (code) => done(code ?? -1));
        }),
    ),
  );
  const earlier = codes.slice(0, -1).find((code) => code !== 0);
  return { exitCode: earlier ?? codes.at(-1)!, stdout, stderr, seconds: (performance.now() - start) / 1000 };
}
