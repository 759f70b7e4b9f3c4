/** One run of the program: words in, exit code out. */
import { Command, CommanderError } from "commander";
import { ProblemError } from "../ruleset/problem.js";
import { commands, type CommandModule } from "./commands.js";
import { BAD, describeProblems, DONE, InputError, UsageError } from "./failure.js";
import type { Io } from "./io.js";
import { version } from "./version.js";

/**
 * Carries out the words after the program's name, and gives the exit code: 0 done, 1 the answer is "no", 2 bad use or bad input.
 * Throws only where the program itself is at fault.
 */
export async function run(words: readonly string[], io: Io): Promise<number> {
  const [first, second] = words;
  if (first === "help" && second !== undefined) return run([second, "--help"], io);
  const name = words.find((word) => !word.startsWith("-"));
  const chosen = name === undefined ? undefined : commands.get(name);
  const module = await chosen?.load();
  let exitCode = DONE;
  const program = programOf(io, name, module, (code) => (exitCode = code));
  try {
    if (words.length === 0) throw new UsageError("no command is given");
    const unknown = first !== undefined && first === name && chosen === undefined && name !== "help";
    await program.parseAsync(unknown ? [name] : [...words], { from: "user" });
    return exitCode;
  } catch (thrown) {
    const text = describeFailure(thrown, chosen === undefined ? "" : ` ${name}`);
    if (text === undefined) throw thrown;
    io.complain(text);
    return text === "" ? DONE : BAD;
  }
}

function programOf(
  io: Io,
  name: string | undefined,
  module: CommandModule | undefined,
  finish: (code: number) => void,
): Command {
  const program = new Command("chainwalk")
    .description("Where does this packet to a Service go, how often, and what does finding out cost.")
    .version(version(), "-V, --version", "print the version")
    .addHelpText("after", GENERAL_HELP)
    .showSuggestionAfterError()
    .exitOverride()
    .configureOutput({ writeOut: (text) => io.write(text), writeErr: () => {} });
  for (const [own, { summary }] of commands) {
    const command = program
      .command(own)
      .summary(summary)
      .description(`${summary[0]!.toUpperCase()}${summary.slice(1)}.`);
    if (own === name && module !== undefined) module.define(command, io, finish);
  }
  return program;
}

const GENERAL_HELP = `
Examples:
  chainwalk trace --rules rules.iptables-save --src 172.16.1.5:40000 --dst 172.19.0.166:80 --proto tcp
  iptables-save | chainwalk services --rules -
  chainwalk generate --services 1000 --endpoints 5 > rules.iptables-save

chainwalk COMMAND --help says more. "-" reads standard input; gzip is read as it is.
Exit code: 0 done, 1 the answer is "no", 2 bad use or bad input.`;

/** What is said of a failure: empty where there was none (help was asked for), undefined where it is the program's own. */
function describeFailure(thrown: unknown, command: string): string | undefined {
  const see = `See "chainwalk${command} --help".\n`;
  if (thrown instanceof CommanderError) {
    if (thrown.exitCode === 0) return "";
    return `chainwalk: ${thrown.message.replace(/^error: /, "").replace(/\s*\n/g, " ")}\n${see}`;
  }
  if (thrown instanceof UsageError) return `chainwalk: ${thrown.message}\n${see}`;
  if (thrown instanceof InputError) return describeProblems(thrown.problems, thrown.source);
  if (thrown instanceof ProblemError)
    return thrown.problems.map((problem) => `chainwalk: ${problem.message}\n`).join("");
  return undefined;
}
