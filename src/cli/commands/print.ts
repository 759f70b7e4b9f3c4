import { type Command, Option } from "commander";
import { printInPieces } from "../../syntax/iptables/printer.js";
import { printNftInPieces } from "../../syntax/nft/printer.js";
import { blaming } from "../failure.js";
import type { Io } from "../io.js";
import { addRulesOptions, loadRules, type RulesOptions } from "../options/rules.js";
import { choiceWord } from "../options/values.js";

interface PrintOptions extends RulesOptions {
  readonly format?: "iptables" | "nft" | "json";
  readonly json?: true;
}

const HELP = `
What iptables-save or nft list ruleset printed comes back line for line; any other spelling of either in that form.

JSON (--format json, --json): the rule set as the types of the package say (RuleSet): {tables: [{family, name, chains: [{name, base?,
rules: [{statements: [{kind, ...}], counters?, span}]}], sets, maps}]}; addresses are one or four uint32.

Examples:
  chainwalk print --rules rules.iptables-save.gz
  chainwalk print --rules listing.txt --complete
  nft -j list ruleset | chainwalk print --rules - --format nft
  iptables -t filter -S | chainwalk print --rules - --table filter --json`;

export function define(command: Command, io: Io): void {
  addRulesOptions(command)
    .addOption(
      new Option("--format <format>", "iptables, nft or json (default: that of the rules)").argParser(
        choiceWord(["iptables", "nft", "json"]),
      ),
    )
    .option("--json", "the same as --format json")
    .addHelpText("after", HELP)
    .action(async (options: PrintOptions) => {
      const { resolved, source, format } = await loadRules(options, io);
      const { ruleset } = resolved;
      const wanted =
        options.json === true ? "json" : (options.format ?? (format.startsWith("nft") ? "nft" : "iptables"));
      if (wanted === "json") return io.write(`${JSON.stringify(ruleset, undefined, 1)}\n`);
      const pieces = wanted === "nft" ? printNftInPieces(ruleset) : printInPieces(ruleset);
      const text = blaming(source, () => [...pieces]);
      for (const piece of text) io.write(piece);
    });
}
