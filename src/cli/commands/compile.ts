import { type Command, Option } from "commander";
import { compile, type PassName, PASSES } from "../../engine/compile/compile.js";
import { dumpMaps, printMap } from "../draw/maps.js";
import { dumpPlan } from "../draw/plan.js";
import { drawPlan } from "../draw/stages.js";
import type { RuleSet } from "../../ruleset/types.js";
import { printNftInPieces } from "../../syntax/nft/printer.js";
import type { ProblemSource } from "../../syntax/problem.js";
import { translate } from "../../translate/translate.js";
import { blaming, describeProblems, UsageError } from "../failure.js";
import type { Io } from "../io.js";
import { addRulesOptions, loadRules, type RulesOptions } from "../options/rules.js";
import { choiceWord } from "../options/values.js";
import { addNodeOptions, nodeOf, type NodeOptions } from "../options/walk.js";

interface CompileOptions extends RulesOptions, NodeOptions {
  readonly stage?: PassName;
  readonly emit?: "json" | "nft" | "maps";
  readonly json?: true;
  readonly withoutBridges?: true;
  readonly fold: boolean;
}

const HELP = `
What the indexed engine runs: hash tables of long chains, and one map from address, port and protocol to weighted backends.
A plan is made for one node: give its addresses. Destinations that are in no map are walked.

--stage: what a pass makes of the rules. resolve: chains and where they lead. prune: rules no packet gets to. partition: hash tables of
chains. specialise: what is left of the rules once the destination is known. pick: rules that draw as one choice by weight.
layout: the flat arrays.

--emit maps: {services, backends, picks, source_tests}, each a list as "bpftool -p map dump" prints a map: key and value in
bytes, and formatted.
--emit nft: the iptables rules as an nftables rule set for "nft -f" that decides every packet alike: runs of rules for single addresses and
ports become verdict maps, an even choice among endpoints one draw, other rules one rule each. What has no counterpart is refused with
its line. Tables keep their names: nothing of iptables may be loaded beside it.
JSON (--emit json, --json): {node, rules, chains: [{table, chain, rules, reached, shadowed, lookups}], services: [{address, port, protocol, kind,
rejectWith, chain, sourceTest, backends: [{address, port, weight, threshold, flags}]}], marks, bytes}.

Examples:
  chainwalk compile --rules rules.iptables-save --node-ip 192.168.0.2
  chainwalk compile --rules datasets/nginx-clusterip/rules.iptables-save --emit maps
  chainwalk compile --rules rules.iptables-save --emit nft > rules.nft
  chainwalk compile --rules rules.iptables-save --stage specialise`;

export function define(command: Command, io: Io): void {
  addNodeOptions(addRulesOptions(command))
    .addOption(new Option("--stage <stage>", `one stage as text: ${PASSES.join(", ")}`).argParser(choiceWord(PASSES)))
    .addOption(new Option("--emit <form>", "json, maps or nft").argParser(choiceWord(["json", "nft", "maps"])))
    .option("--json", "the same as --emit json")
    .option("--without-bridges", "no packet has a bridge port: settles -m physdev (--emit nft)")
    .option("--no-fold", "every rule stays a rule, with its counters (--emit nft)")
    .addHelpText("after", HELP)
    .action(async (options: CompileOptions) => {
      const emit = options.json === true ? "json" : options.emit;
      if (options.stage !== undefined && emit !== undefined)
        throw new UsageError("--stage prints text: it does not go together with --emit or --json");
      if (emit !== "nft" && (options.withoutBridges === true || !options.fold))
        throw new UsageError("--without-bridges and --no-fold are for --emit nft");
      const { resolved, source } = await loadRules(options, io);
      if (emit === "nft") return emitNft(resolved.ruleset, source, options, io);
      const plan = blaming(source, () => compile(resolved, nodeOf(options)));
      if (emit === "json") io.write(`${JSON.stringify(dumpPlan(plan), undefined, 1)}\n`);
      else if (emit === "maps") {
        const maps = Object.entries(dumpMaps(plan.tables)).map(([name, map]) => `"${name}": ${printMap(map)}`);
        io.write(`{${maps.join(",\n")}}\n`);
      } else io.write(drawPlan(plan, options.stage));
    });
}

function emitNft(ruleset: RuleSet, source: ProblemSource, options: CompileOptions, io: Io): void {
  const { withoutBridges = false, fold } = options;
  const pieces = blaming(source, () => {
    const translation = translate(ruleset, { withoutBridges, fold });
    if (translation.problems.length > 0) io.complain(describeProblems(translation.problems, source));
    const { rules, inMaps, inChoices } = translation;
    const count = (n: number): string => n.toLocaleString("en");
    const remark = `# ${count(rules)} rules of iptables: ${count(inMaps)} of them in verdict maps, ${count(inChoices)} in even choices\n`;
    return [remark, ...printNftInPieces(translation.ruleset)];
  });
  for (const piece of pieces) io.write(piece);
}
