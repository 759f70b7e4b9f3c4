#!/usr/bin/env node
import { processIo } from "./io.js";
import { run } from "./run.js";

/** EX_SOFTWARE of sysexits.h: the program itself is at fault. */
const INTERNAL_ERROR = 70;

run(process.argv.slice(2), processIo()).then(
  (exitCode) => {
    process.exitCode = exitCode;
  },
  (failure: unknown) => {
    process.stderr.write(
      `chainwalk: internal error, please report it: ${(failure as Error)?.stack ?? String(failure)}\n`,
    );
    process.exitCode = INTERNAL_ERROR;
  },
);
