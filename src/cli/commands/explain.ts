import type { Command } from "commander";
import type { Packet } from "../../packet/packet.js";
import { error, ProblemError } from "../../ruleset/problem.js";
import { add, type Fraction, formatFraction, toNumber } from "../../engine/fraction.js";
import type { Distribution } from "../../engine/types.js";
import { drawTable } from "../../report/table.js";
import { decodeInput, spanAt } from "../../syntax/input.js";
import {
  destinationText,
  entranceText,
  isWorthSaying,
  tupleText,
  type VerdictName,
  verdictName,
} from "../draw/packet.js";
import { fractionText, percentText } from "../draw/probability.js";
import { blaming, InputError, UsageError } from "../failure.js";
import { type Flow, readFlows } from "../flows.js";
import type { Io } from "../io.js";
import { describeForeignFamily, refuseForeignFamily, seesTables } from "../options/family.js";
import { addPacketOptions, packetOf, type PacketOptions } from "../options/packet.js";
import { addRulesOptions, type LoadedRules, loadRules, type RulesOptions } from "../options/rules.js";
import {
  addEngineOption,
  addWalkOptions,
  type EngineName,
  prepareWalk,
  type WalkOptions,
  warnOfMissingAddresses,
} from "../options/walk.js";
import { readInput } from "../read-input.js";

interface ExplainOptions extends RulesOptions, Partial<PacketOptions>, WalkOptions {
  readonly flows?: string;
  readonly engine: EngineName;
  readonly json?: true;
}

/** An outcome as flows tell outcomes apart. */
export interface FlowOutcome {
  readonly verdict: VerdictName;
  readonly to: string | null;
  readonly masquerade: boolean;
  readonly probability: Fraction;
}

const HELP = `
Every possible outcome of a packet with its exact probability: of one packet, or of the flows of a file:
[{name, srcIP, srcPort, dstIP, dstPort, protocol, ipFamily?, hook?, inInterface?}]; other keys are ignored.
Each is the first packet of a connection, unless --ct-state says otherwise.

JSON (--json): [{name, outcomes: [{verdict: "DNAT" | "ACCEPT" | "DROP" | "REJECT", to: "ip:port" | null, masquerade, p: "num/den"}]}].
DNAT: let through with a new destination. Dropped or rejected: to is null, masquerade false.

Examples:
  chainwalk explain --rules rules.iptables-save --src 10.1.0.9:5000 --dst 10.96.0.10:53 --proto udp
  chainwalk explain --rules rules.iptables-save --flows flows.json --node-ip 192.168.0.2 --json`;

export function define(command: Command, io: Io): void {
  addPacketOptions(addRulesOptions(command), false);
  command.option("--flows <file>", "packets as a JSON list, instead of --src, --dst and --proto");
  addWalkOptions(addEngineOption(command, "linear"))
    .option("--json", "print JSON")
    .addHelpText("after", HELP)
    .action((options: ExplainOptions) => explain(options, io));
}

async function explain(options: ExplainOptions, io: Io): Promise<void> {
  checkOptions(options);
  const single = options.flows === undefined ? packetOf(options as PacketOptions, options) : undefined;
  const rules = await loadRules(options, io);
  let flows: readonly Pick<Flow, "name" | "packet">[];
  if (single !== undefined) {
    refuseForeignFamily(rules, single.family);
    flows = [{ name: tupleText(single), packet: single }];
  } else flows = await loadFlows(options.flows!, options, rules, io);
  const { engine, context } = await prepareWalk(rules, options, io);
  const given = new Set<string>();
  const answers = flows.map(({ name, packet }) => {
    const distribution = blaming(rules.source, () => engine.outcomes(packet, context));
    for (const text of distribution.given) given.add(text);
    return { name, packet, outcomes: summarize(distribution) };
  });
  warnOfMissingAddresses(given, io);
  if (options.json === true) io.write(`${JSON.stringify(answers.map(jsonAnswer), undefined, 1)}\n`);
  else
    io.write(
      [
        ...answers.map((answer) => drawAnswer(answer, context.connection.state)),
        ...[...given].filter(isWorthSaying).map((text) => `given: ${text}\n`),
      ].join("\n"),
    );
}

function checkOptions(options: ExplainOptions): void {
  const missing = (["src", "dst", "proto"] as const).filter((name) => options[name] === undefined);
  if (options.flows === undefined && missing.length > 0)
    throw new UsageError(
      missing.length === 3
        ? "say which packet: --src, --dst and --proto, or --flows"
        : `${missing.map((name) => `--${name}`).join(" and ")} must be given too`,
    );
  if (options.flows === undefined) return;
  if (missing.length < 3) throw new UsageError("--flows stands instead of --src, --dst and --proto, not beside them");
  if (options.hook !== undefined || options.iif !== undefined)
    throw new UsageError("with --flows each flow says its own hook and inInterface, not --hook and --iif");
}

async function loadFlows(path: string, options: ExplainOptions, rules: LoadedRules, io: Io): Promise<Flow[]> {
  const input = await readInput(path, io);
  const decoded = decodeInput(input.bytes);
  if ("problem" in decoded) throw new InputError({ file: input.name }, [decoded.problem]);
  const { text } = decoded;
  return blaming({ file: input.name, text }, () => {
    const flows = readFlows(text, options.mark === undefined ? {} : { mark: options.mark });
    const foreign = flows.find(({ packet }) => !seesTables(rules.resolved, packet.family));
    if (foreign !== undefined) {
      const message = describeForeignFamily(foreign.packet.family, rules.source.file);
      throw new ProblemError(error("foreign-family", message, spanAt(text, foreign.at)));
    }
    return flows;
  });
}

/** Outcomes with the same verdict, destination and masquerade added up, in the order in which they were found. */
export function summarize(distribution: Distribution): FlowOutcome[] {
  const kinds = new Map<string, FlowOutcome>();
  for (const { outcome, probability } of distribution.outcomes) {
    const verdict = verdictName(outcome);
    const to = destinationText(outcome);
    const masquerade = outcome.source !== undefined;
    const key = `${verdict} ${to} ${masquerade}`;
    const same = kinds.get(key);
    kinds.set(key, {
      verdict,
      to,
      masquerade,
      probability: same === undefined ? probability : add(same.probability, probability),
    });
  }
  return [...kinds.values()];
}

interface Answer {
  readonly name: string;
  readonly packet: Packet;
  readonly outcomes: readonly FlowOutcome[];
}

/** The schema of `--json`. */
function jsonAnswer({ name, outcomes }: Answer): object {
  return {
    name,
    outcomes: outcomes.map(({ verdict, to, masquerade, probability }) => ({
      verdict,
      to,
      masquerade,
      p: formatFraction(probability),
    })),
  };
}

function drawAnswer({ name, packet, outcomes }: Answer, connectionState: string): string {
  const title = tupleText(packet);
  const rows = outcomes.map(({ verdict, to, masquerade, probability }) => [
    verdict,
    to ?? "-",
    masquerade ? "masqueraded" : "-",
    percentText(toNumber(probability)),
    fractionText(probability),
  ]);
  const lines = drawTable(
    [
      { title: "verdict", align: "left" },
      { title: "to", align: "left" },
      { title: "source", align: "left" },
      { title: "probability", align: "right" },
      { title: "exactly", align: "left" },
    ],
    rows,
  );
  const head = `${name === title ? "" : `${name}: `}${title}   ${entranceText(packet)}, connection ${connectionState}`;
  return [head, ...lines.map((line) => `  ${line}`)].map((line) => `${line}\n`).join("");
}
