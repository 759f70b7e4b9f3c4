import type { Command } from "commander";
import picocolors from "picocolors";
import type { Packet } from "../../packet/packet.js";
import { error, ProblemError } from "../../ruleset/problem.js";
import { add, type Fraction, formatFraction, toNumber } from "../../engine/fraction.js";
import type { Distribution, Outcome, OutcomePath } from "../../engine/types.js";
import { drawTable } from "../../report/table.js";
import { decodeInput, spanAt } from "../../syntax/input.js";
import type { RuleFormat } from "../../syntax/read.js";
import {
  destinationText,
  entranceText,
  isWorthSaying,
  tupleText,
  type VerdictName,
  verdictName,
} from "../draw/packet.js";
import { fractionText, percentText } from "../draw/probability.js";
import { drawPath, type TraceTitle } from "../draw/trace.js";
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
import { jsonStep } from "./trace.js";

type Colors = ReturnType<typeof picocolors.createColors>;

interface ExplainOptions extends RulesOptions, Partial<PacketOptions>, WalkOptions {
  readonly flows?: string;
  readonly engine: EngineName;
  readonly paths?: true;
  readonly json?: true;
}

/** An outcome as flows tell outcomes apart. */
export interface FlowOutcome {
  readonly verdict: VerdictName;
  readonly to: string | null;
  readonly masquerade: boolean;
  readonly probability: Fraction;
  /** Every way that leads to it, with what it ends in; empty where they were not asked for. */
  readonly paths: readonly (OutcomePath & { readonly outcome: Outcome })[];
}

const HELP = `
Every possible outcome of a packet with its exact probability: of one packet, or of the flows of a file:
[{name, srcIP, srcPort, dstIP, dstPort, protocol, ipFamily?, hook?, inInterface?}]; other keys are ignored.
Each is the first packet of a connection, unless --ct-state says otherwise.

State is fresh: no source is on a recent list, no limit is used up, sets that rules change are as listed. What was taken as given is
named below the answer; --assume LINE=yes|no has the test of state of a rule hold or fail.

JSON (--json): [{name, outcomes: [{verdict: "DNAT" | "ACCEPT" | "DROP" | "REJECT", to: "ip:port" | null, masquerade, p: "num/den"}],
given: [text]}]. DNAT: let through with a new destination. Dropped or rejected: to is null, masquerade false.
With --paths each outcome has paths: [{p, steps}], with steps as trace --json gives them.

Examples:
  chainwalk explain --rules rules.iptables-save --src 10.1.0.9:5000 --dst 10.96.0.10:53 --proto udp
  chainwalk explain --rules rules.iptables-save --flows flows.json --node-ip 192.168.0.2 --json`;

export function define(command: Command, io: Io): void {
  addPacketOptions(addRulesOptions(command), false);
  command
    .option("--flows <file>", "packets as a JSON list, instead of --src, --dst and --proto")
    .option("--paths", "show every way that leads to each outcome, rule by rule");
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
  const { format } = rules;
  const answers = flows.map(({ name, packet }) => {
    const distribution = blaming(rules.source, () => engine.outcomes(packet, context, options.paths));
    for (const text of distribution.given) given.add(text);
    return { name, packet, outcomes: summarize(distribution), given: distribution.given };
  });
  warnOfMissingAddresses(given, io);
  const connectionState = context.connection.state;
  const colors = picocolors.createColors(io.colors);
  if (options.json === true)
    io.write(
      `${JSON.stringify(
        answers.map((answer) => jsonAnswer(answer, format)),
        undefined,
        1,
      )}\n`,
    );
  else
    io.write(
      [
        ...answers.map((answer) => drawAnswer(answer, { engine: engine.name, connectionState, format }, colors)),
        [...given]
          .filter(isWorthSaying)
          .map((text) => `given: ${text}\n`)
          .join(""),
      ]
        .filter((text) => text !== "")
        .join("\n"),
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
  for (const { outcome, probability, paths = [] } of distribution.outcomes) {
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
      paths: [...(same?.paths ?? []), ...paths.map((path) => ({ ...path, outcome }))],
    });
  }
  return [...kinds.values()];
}

interface Answer {
  readonly name: string;
  readonly packet: Packet;
  readonly outcomes: readonly FlowOutcome[];
  readonly given: readonly string[];
}

/** The schema of `--json`. */
function jsonAnswer({ name, outcomes, given }: Answer, format: RuleFormat): object {
  return {
    name,
    outcomes: outcomes.map(({ verdict, to, masquerade, probability, paths }) => ({
      verdict,
      to,
      masquerade,
      p: formatFraction(probability),
      ...(paths.length === 0
        ? {}
        : {
            paths: paths.map((path) => ({
              p: formatFraction(path.probability),
              steps: path.steps.map((step) => jsonStep(step, format)),
            })),
          }),
    })),
    given,
  };
}

function drawAnswer({ name, packet, outcomes }: Answer, how: Omit<TraceTitle, "packet">, colors: Colors): string {
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
  const head = `${name === title ? "" : `${name}: `}${title}   ${entranceText(packet)}, connection ${how.connectionState}`;
  const ways = outcomes.flatMap(({ verdict, to, masquerade, paths }) =>
    paths.flatMap(({ steps, outcome, probability }) => [
      "",
      `${percentText(toNumber(probability))} (${fractionText(probability)})  ${verdict} ${to ?? ""}${masquerade ? ", masqueraded" : ""}`.trimEnd(),
      ...drawPath(steps, outcome, { packet, ...how }, colors),
    ]),
  );
  return [head, ...lines.map((line) => `  ${line}`), ...ways].map((line) => `${line}\n`).join("");
}
