import { existsSync } from "node:fs";
import { basename, join } from "node:path";
import { compareBuilds, documentOf, formatMeasurement, formatText } from "../src/index.js";
import { ArgumentError, parseArguments } from "./arguments.js";
import { showProgress } from "./progress.js";
import { runStudy } from "./run-study.js";
import { studies } from "./studies/index.js";
import { writeResults, writeShard } from "./write-results.js";

async function main(words: string[]): Promise<void> {
  const options = parseArguments(words, studies);
  if (options.against !== undefined && !existsSync(join(options.against, "bench", "child.js")))
    throw new ArgumentError(
      `error: option '--against <dir>': ${options.against} is no build: expected the dist folder of a checkout after "npm run build", with bench/child.js in it.`,
      2,
    );
  const study = studies.get(options.study)!;
  const progress = showProgress(process.stderr);
  const command = ["npm", "run", "bench", ...(words.length > 0 ? ["--", ...words] : [])];
  const record = await runStudy(study, options, command, progress.show);
  progress.clear();
  if (options.json) process.stdout.write(formatMeasurement(record));
  else if (options.shard === undefined) process.stdout.write(formatText(documentOf(record)));
  const files = await (options.shard === undefined
    ? writeResults(options.out, record)
    : writeShard(options.out, record));
  const list = `Written to ${options.out}: ${files.map((file) => basename(file)).join(", ")}\n`;
  (options.json ? process.stderr : process.stdout).write(list);
  if (options.shard !== undefined) return;
  // Like `report --compare`: the answer to "is this build as fast as the other" may be no.
  if (compareBuilds(record)?.judged.some(({ outcome }) => outcome === "slower")) process.exitCode = 1;
}

main(process.argv.slice(2)).catch((error: unknown) => {
  if (error instanceof ArgumentError) {
    if (error.message !== "") process.stderr.write(`${error.message}\n`);
    process.exitCode = error.exitCode;
    return;
  }
  process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
