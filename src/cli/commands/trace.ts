import type { Command } from "commander";
import picocolors from "picocolors";
import { formatAddress } from "../../packet/address.js";
import { protocolName } from "../../packet/protocol.js";
import type { Tuple } from "../../packet/tuple.js";
import type { ResolvedRule } from "../../ruleset/resolve.js";
import type { Outcome, Step, Trace } from "../../engine/types.js";
import type { RuleFormat } from "../../syntax/read.js";
import { ruleText } from "../draw/rule-text.js";
import { drawTrace, type TraceTitle } from "../draw/trace.js";
import { destinationText, verdictName } from "../draw/packet.js";
import { blaming } from "../failure.js";
import type { Io } from "../io.js";
import { addPacketOptions, packetOf, type PacketOptions } from "../options/packet.js";
import { addRulesOptions, loadRules, type RulesOptions } from "../options/rules.js";
import { refuseForeignFamily } from "../options/family.js";
import {
  addEngineOption,
  addWalkOptions,
  type EngineName,
  prepareWalk,
  seedWord,
  type WalkOptions,
  warnOfMissingAddresses,
} from "../options/walk.js";

interface TraceOptions extends RulesOptions, PacketOptions, WalkOptions {
  readonly engine: EngineName;
  readonly seed: number;
  readonly json?: true;
}

const HELP = `
The way of one packet: every hook and chain, each rule that matched with its line, what NAT and routing did, and the work
it cost. With the same seed both engines pick the same endpoint.

JSON (--json): {packet, engine, verdict, to, masquerade, outcome: {verdict, rejectWith, by, destination, source, tuple, mark, way,
oif, notrack, work}, steps: [...], given: [text]}. A step has a "kind": hook, chain, rule (table, chain, number, line, text),
policy, lookup, pick, translate or route.

Examples:
  chainwalk trace --rules datasets/nginx-clusterip/rules.iptables-save \\
      --src 172.16.1.5:40000 --dst 172.19.0.166:80 --proto tcp
  iptables-save | chainwalk trace --rules - --node-ip 192.168.0.2 --src 10.1.0.9:5000 --dst 192.168.0.2:30080 --proto tcp
  chainwalk trace --rules rules.gz --hook output --src 192.168.0.2:5000 --dst 10.96.0.10:53 --proto udp --engine indexed`;

export function define(command: Command, io: Io): void {
  addPacketOptions(addRulesOptions(command), true);
  command.option("--seed <n>", "names the random numbers", seedWord, 1);
  addWalkOptions(addEngineOption(command, "linear"))
    .option("--json", "print JSON")
    .addHelpText("after", HELP)
    .action(async (options: TraceOptions) => {
      const packet = packetOf(options, options);
      const rules = await loadRules(options, io);
      refuseForeignFamily(rules, packet.family);
      const { engine, context } = await prepareWalk(rules, options, io);
      const trace = blaming(rules.source, () => engine.trace(packet, context));
      warnOfMissingAddresses(trace.given, io);
      const title = { packet, engine: engine.name, connectionState: context.connection.state, format: rules.format };
      if (options.json === true) io.write(`${JSON.stringify(jsonTrace(trace, title), undefined, 1)}\n`);
      else io.write(drawTrace(trace, title, picocolors.createColors(io.colors)));
    });
}

/** The schema of `--json`. */
export function jsonTrace(trace: Trace, { packet, engine, connectionState, format }: TraceTitle): object {
  const { outcome, steps, given } = trace;
  const { family, entrance, iif, mark } = packet;
  return {
    packet: { family, ...jsonTuple(packet), entrance, iif, mark, connectionState },
    engine,
    verdict: verdictName(outcome),
    to: destinationText(outcome),
    masquerade: outcome.source !== undefined,
    outcome: jsonOutcome(outcome, format),
    steps: steps.map((step) => jsonStep(step, format)),
    given,
  };
}

function jsonTuple({ src, dst, protocol, sport, dport }: Tuple): object {
  return { src: formatAddress(src), sport, dst: formatAddress(dst), dport, protocol: protocolName(protocol) };
}

function jsonOutcome(outcome: Outcome, format: RuleFormat): object {
  const { verdict, rejectWith, by, destination, source, tuple, mark, way, oif, notrack, work } = outcome;
  return {
    verdict,
    rejectWith: rejectWith ?? null,
    by: by === undefined ? null : jsonRule(by, format),
    destination:
      destination === undefined ? null : { address: formatAddress(destination.address), port: destination.port },
    source:
      source === undefined
        ? null
        : {
            kind: source.kind,
            hook: source.hook,
            ...source.to,
            ...(source.to.addresses === undefined ? {} : { addresses: source.to.addresses.map(formatAddress) }),
          },
    tuple: jsonTuple(tuple),
    mark,
    way: way ?? null,
    oif: oif ?? null,
    notrack,
    work,
  };
}

function jsonRule(rule: ResolvedRule, format: RuleFormat): object {
  const { chain, number } = rule;
  return {
    table: chain.table.name,
    chain: chain.name,
    number,
    line: rule.rule.span?.line ?? null,
    text: ruleText(rule, format),
  };
}

export function jsonStep(step: Step, format: RuleFormat): object {
  if (step.kind === "rule") return { kind: "rule", ...jsonRule(step.rule, format) };
  if (step.kind === "route") return { ...step, destination: formatAddress(step.destination) };
  return step.kind === "lookup" ? { ...step, found: step.found ?? null } : step;
}
