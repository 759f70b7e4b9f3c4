/** `npm run claims`: every claim of the README put to the test. Exit code: 0 none fails, 1 one does, 2 bad use. */
import { Command } from "commander";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { formatText } from "../../src/index.js";
import { ArgumentError, readWords } from "../arguments.js";
import { packageRoot } from "../environment.js";
import { showProgress } from "../progress.js";
import { documentClaims, type JudgedClaim } from "./document.js";
import { commandOf, judgeClaim, type Ran } from "./judge.js";
import { ClaimsError, parseClaims } from "./read.js";
import { runCommand } from "./run.js";

async function main(words: readonly string[]): Promise<void> {
  const command = new Command("claims")
    .description("Tests every claim of the README that bench/claims.json lists")
    .option("--quick", "smaller sizes and fewer claims: at most two minutes");
  const quick = readWords<{ quick?: true }>(command, words).quick === true;
  const root = packageRoot();
  const claims = parseClaims(readFileSync(join(root, "bench", "claims.json"), "utf8"));
  const progress = showProgress(process.stderr);
  const ran = new Map<string, Ran>();
  const rows: JudgedClaim[] = [];
  for (const claim of claims) {
    const way = commandOf(claim, quick);
    if ("why" in way) {
      rows.push({ claim, judged: { outcome: "not tested", measured: way.why } });
      continue;
    }
    // Claims of one command share its run.
    let result = ran.get(way.command);
    if (result === undefined) {
      progress.show(way.command);
      result = await runCommand(way.command, root);
      ran.set(way.command, result);
    }
    rows.push({ claim, judged: judgeClaim(way.claim, result) });
  }
  progress.clear();
  process.stdout.write(formatText(documentClaims(rows, quick)));
  if (rows.some(({ judged }) => judged.outcome === "fail")) process.exitCode = 1;
}

main(process.argv.slice(2)).catch((error: unknown) => {
  if (error instanceof ArgumentError) {
    if (error.message !== "") process.stderr.write(`${error.message}\n`);
    process.exitCode = error.exitCode;
    return;
  }
  const where = error instanceof ClaimsError ? "bench/claims.json: " : "";
  process.stderr.write(`claims: ${where}${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = where === "" ? 1 : 2;
});
