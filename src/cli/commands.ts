/** The commands by name. Each is loaded when it is called, so that help and small commands start fast. */
import type { Command } from "commander";
import type { Io } from "./io.js";

export interface CommandModule {
  /** Adds options, help and action. `finish` sets the exit code (0 where it is not called). */
  define(command: Command, io: Io, finish: (exitCode: number) => void): void;
}

export interface CommandEntry {
  readonly summary: string;
  load(): Promise<CommandModule>;
}

export const commands: ReadonlyMap<string, CommandEntry> = new Map<string, CommandEntry>([
  ["trace", { summary: "one packet's way, chain by chain", load: () => import("./commands/trace.js") }],
  [
    "explain",
    { summary: "every possible outcome with its exact probability", load: () => import("./commands/explain.js") },
  ],
  ["services", { summary: "the Services a rule set holds", load: () => import("./commands/services.js") }],
  ["print", { summary: "read rules and print them back", load: () => import("./commands/print.js") }],
  ["generate", { summary: "the rules kube-proxy writes for a cluster", load: () => import("./commands/generate.js") }],
  ["compile", { summary: "the compiled plan: maps and chain indexes", load: () => import("./commands/compile.js") }],
  [
    "verify",
    { summary: "prove that compiled equals linear, or show a packet", load: () => import("./commands/verify.js") },
  ],
  ["lint", { summary: "what is dead, shadowed, dangling or uneven", load: () => import("./commands/lint.js") }],
  [
    "check",
    { summary: "test picks for fairness, sampled or counted on a node", load: () => import("./commands/check.js") },
  ],
  ["power", { summary: "connections needed to see a bias", load: () => import("./commands/power.js") }],
  ["bench", { summary: "measure linear traversal against map lookup", load: () => import("./commands/bench.js") }],
  ["report", { summary: "draw the studies again, or compare two runs", load: () => import("./commands/report.js") }],
]);
