import { type Command, Option } from "commander";
import { printRules } from "../../syntax/iptables/printer.js";
import { blaming, UsageError } from "../failure.js";
import type { Io } from "../io.js";
import { addRulesOptions, loadRules, type RulesOptions } from "../options/rules.js";
import { choiceWord } from "../options/values.js";

interface PrintOptions extends RulesOptions {
  readonly format: "iptables" | "nft" | "json";
  readonly json?: true;
}

const HELP = `
What iptables-save printed comes back line for line; any other spelling in the form of iptables-save.

JSON (--format json, --json): the rule set as the types of the package say (RuleSet): {tables: [{family, name, chains: [{name, base?,
rules: [{statements: [{kind, ...}], counters?, span}]}], sets, maps}]}; addresses are one or four uint32.

Examples:
  chainwalk print --rules rules.iptables-save.gz
  chainwalk print --rules listing.txt --complete
  iptables -t filter -S | chainwalk print --rules - --table filter --json`;

export function define(command: Command, io: Io): void {
  addRulesOptions(command)
    .addOption(
      new Option("--format <format>", "iptables or json")
        .default("iptables")
        .argParser(choiceWord(["iptables", "nft", "json"])),
    )
    .option("--json", "the same as --format json")
    .addHelpText("after", HELP)
    .action(async (options: PrintOptions) => {
      if (options.format === "nft") throw new UsageError("--format nft: rules cannot be printed as nftables yet");
      const { resolved, source } = await loadRules(options, io);
      const { ruleset } = resolved;
      if (options.json === true || options.format === "json") io.write(`${JSON.stringify(ruleset, undefined, 1)}\n`);
      else io.write(blaming(source, () => printRules(ruleset)));
    });
}
