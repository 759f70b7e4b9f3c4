import type { Command } from "commander";
import type { Io } from "../io.js";

/** Every word goes to the measuring program, `--help` and `--json` too; its exit code is the command's. */
export function define(command: Command, io: Io, finish: (exitCode: number) => void): void {
  command
    .helpOption(false)
    .allowUnknownOption()
    .argument("[words...]")
    .action(async (words: readonly string[]) => finish(await io.runStudies(words)));
}
