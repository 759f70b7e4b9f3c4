import { type Command, Option } from "commander";
import { compile, type PassName, PASSES } from "../../engine/compile/compile.js";
import { dumpMaps, printMap } from "../draw/maps.js";
import { dumpPlan } from "../draw/plan.js";
import { drawPlan } from "../draw/stages.js";
import { blaming, UsageError } from "../failure.js";
import type { Io } from "../io.js";
import { addRulesOptions, loadRules, type RulesOptions } from "../options/rules.js";
import { choiceWord } from "../options/values.js";
import { addNodeOptions, nodeOf, type NodeOptions } from "../options/walk.js";

interface CompileOptions extends RulesOptions, NodeOptions {
  readonly stage?: PassName;
  readonly emit?: "json" | "nft" | "maps";
  readonly json?: true;
}

const HELP = `
What the indexed engine runs: hash tables of long chains, and one map from address, port and protocol to weighted backends.
A plan is made for one node: give its addresses. Destinations that are in no map are walked.

--stage: what a pass makes of the rules. resolve: chains and where they lead. prune: rules no packet gets to. partition: hash tables of
chains. specialise: what is left of the rules once the destination is known. pick: rules that draw as one choice by weight.
layout: the flat arrays.

--emit maps: {services, backends, picks, source_tests}, each a list as "bpftool -p map dump" prints a map: key and value in
bytes, and formatted.
JSON (--emit json, --json): {node, rules, chains: [{table, chain, rules, reached, shadowed, lookups}], services: [{address, port, protocol, kind,
rejectWith, chain, sourceTest, backends: [{address, port, weight, threshold, flags}]}], marks, bytes}.

Examples:
  chainwalk compile --rules rules.iptables-save --node-ip 192.168.0.2
  chainwalk compile --rules datasets/nginx-clusterip/rules.iptables-save --emit maps
  chainwalk compile --rules rules.iptables-save --stage specialise`;

export function define(command: Command, io: Io): void {
  addNodeOptions(addRulesOptions(command))
    .addOption(new Option("--stage <stage>", `one stage as text: ${PASSES.join(", ")}`).argParser(choiceWord(PASSES)))
    .addOption(new Option("--emit <form>", "json or maps").argParser(choiceWord(["json", "nft", "maps"])))
    .option("--json", "the same as --emit json")
    .addHelpText("after", HELP)
    .action(async (options: CompileOptions) => {
      const emit = options.json === true ? "json" : options.emit;
      if (options.emit === "nft") throw new UsageError("--emit nft: plans cannot be printed as nftables yet");
      if (options.stage !== undefined && emit !== undefined)
        throw new UsageError("--stage prints text: it does not go together with --emit or --json");
      const { resolved, source } = await loadRules(options, io);
      const plan = blaming(source, () => compile(resolved, nodeOf(options)));
      if (emit === "json") io.write(`${JSON.stringify(dumpPlan(plan), undefined, 1)}\n`);
      else if (emit === "maps") {
        const maps = Object.entries(dumpMaps(plan.tables)).map(([name, map]) => `"${name}": ${printMap(map)}`);
        io.write(`{${maps.join(",\n")}}\n`);
      } else io.write(drawPlan(plan, options.stage));
    });
}
