import type { Command } from "commander";
import { compile } from "../../engine/compile/compile.js";
import { verify, type Verification } from "../../engine/verify/verify.js";
import { drawVerification, jsonVerification } from "../draw/verification.js";
import { ANSWER_NO, blaming, DONE } from "../failure.js";
import type { Io } from "../io.js";
import { addRulesOptions, loadRules, type RulesOptions } from "../options/rules.js";
import { wholeWord } from "../options/values.js";
import { addNodeOptions, loadIpSets, nodeOf, type NodeOptions } from "../options/walk.js";

interface VerifyOptions extends RulesOptions, NodeOptions {
  readonly budget?: number;
  readonly ipsets?: string;
  readonly json?: true;
}

const HELP = `
Proves that the compiled form equals linear for every packet there can be: each base chain, as rules and as what was compiled from
them, becomes one decision diagram of all packets, and every row of the service map is held against the whole walk. Draws are
compared one by one and as probabilities; what only state or an unknown match can say is taken as either, the same for both.

Exit code 0: equal. 1: a packet shows a difference, or not everything could be looked at within the budget.

JSON (--json): {equal, share, classes, chains: [{family, table, chain, classes, complete}], services: {rows, compared}, witnesses,
reason, counterexample: {packet, connection, linear, indexed, distributions, draw} | null}. A share below 1 is how far it got.

Examples:
  chainwalk verify --rules rules.iptables-save --node-ip 192.168.0.2
  chainwalk verify --rules rules.gz --budget 60 --json`;

export function define(command: Command, io: Io, finish: (exitCode: number) => void): void {
  addNodeOptions(addRulesOptions(command))
    .option("--ipsets <file>", 'the sets "-m set" looks into, as "ipset save" prints them')
    .option("--budget <seconds>", "stop after so many seconds, and say how far it got", wholeWord(1, 1_000_000))
    .option("--json", "print JSON")
    .addHelpText("after", HELP)
    .action(async (options: VerifyOptions) => {
      const { resolved, source, format } = await loadRules(options, io);
      const ipsets = options.ipsets === undefined ? [] : await loadIpSets(options.ipsets, io);
      const show = (what: string): void => io.complain(`\r\u001b[K${what}`);
      const found = blaming(source, (): Verification => {
        const plan = compile(resolved, nodeOf(options));
        return verify(plan, {
          ipsets,
          ...(options.budget === undefined ? {} : { seconds: options.budget }),
          ...(io.interactive ? { progress: show } : {}),
        });
      });
      if (io.interactive) show("");
      if (options.json === true) io.write(`${JSON.stringify(jsonVerification(found, format), undefined, 1)}\n`);
      else io.write(drawVerification(found, format, io.colors));
      finish(found.equal ? DONE : ANSWER_NO);
    });
}
