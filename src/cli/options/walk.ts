/** WALK: what a walk needs to know of the node, the connection and the sets, besides rules and packet. */
import { type Command, Option } from "commander";
import type { Address } from "../../packet/address.js";
import type { CtStateName } from "../../packet/connection.js";
import { Node, type RouteEntry } from "../../packet/node.js";
import type { Entrance } from "../../packet/packet.js";
import { connectionInState, freshContext } from "../../datapath/context.js";
import { indexedEngine } from "../../engine/indexed.js";
import { linearEngine } from "../../engine/linear.js";
import { asksState } from "../../engine/machine.js";
import type { Context, Engine } from "../../engine/types.js";
import type { IpSet } from "../../ruleset/ipset.js";
import type { ResolvedRule, ResolvedRuleSet } from "../../ruleset/resolve.js";
import { readIpSets } from "../../syntax/ipset.js";
import { blaming, describeProblems, InputError, UsageError } from "../failure.js";
import type { Io } from "../io.js";
import { readInput } from "../read-input.js";
import type { LoadedRules } from "./rules.js";
import {
  addressWord,
  type Assumption,
  assumptionWord,
  choiceWord,
  ctStateWord,
  hookWord,
  markWord,
  routeWord,
  several,
  wholeWord,
} from "./values.js";

export interface NodeOptions {
  readonly nodeIp?: readonly Address[];
  readonly route?: readonly RouteEntry[];
}

export interface WalkOptions extends NodeOptions {
  readonly hook?: Entrance;
  readonly iif?: string;
  readonly ctState?: CtStateName;
  readonly mark?: number;
  readonly ipsets?: string;
  readonly assume?: readonly Assumption[];
}

export const ENGINES = ["linear", "indexed"] as const;
export type EngineName = (typeof ENGINES)[number];

export function addNodeOptions(command: Command): Command {
  return command
    .option("--node-ip <ip>", "an address of the node besides loopback; repeat it for each", several(addressWord))
    .option("--route <cidr=if>", "a line of the node's routing table; repeat it", several(routeWord));
}

export function addWalkOptions(command: Command): Command {
  command
    .option(
      "--hook <hook>",
      "where the packet enters: prerouting (default) or output, for one the node sends",
      hookWord,
    )
    .option("--iif <name>", "interface it comes in on (default: eth0)");
  return addNodeOptions(command)
    .option("--ct-state <state>", "what conntrack says of it: new (default), established, related, ...", ctStateWord)
    .option("--mark <mark>", "mark it comes with (default: 0)", markWord)
    .option("--ipsets <file>", 'the sets "-m set" looks into, as "ipset save" prints them')
    .option(
      "--assume <line=yes|no>",
      "take an unknown match or target, or a test of state (recent, limit, nth, a set that rules change), for this; repeat it",
      several(assumptionWord),
    );
}

export function addEngineOption(command: Command, preset: EngineName): Command {
  return command.addOption(
    new Option("--engine <name>", ENGINES.join(" or ")).default(preset).argParser(choiceWord(ENGINES)),
  );
}

export const seedWord = wholeWord(0, Number.MAX_SAFE_INTEGER);

/** Everything a walk is made of but the packet. */
export interface Walking {
  readonly rules: LoadedRules;
  readonly engine: Engine;
  readonly context: Context;
  readonly ipsets: readonly IpSet[];
}

/**
 * Makes the engine and the context. The indexed engine draws as the rules do (replay), so that a seed gives the same way
 * under both, unless `fused` asks for its own pick. Throws InputError and UsageError.
 */
export async function prepareWalk(
  rules: LoadedRules,
  options: WalkOptions & { readonly engine: EngineName; readonly seed?: number },
  io: Io,
  draws: "replay" | "fused" = "replay",
): Promise<Walking> {
  const node = nodeOf(options);
  const ipsets = options.ipsets === undefined ? [] : await loadIpSets(options.ipsets, io);
  const { resolved, source } = rules;
  const assume = assumptions(options.assume ?? [], resolved, source.file);
  const engine = blaming(source, () =>
    options.engine === "linear" ? linearEngine(resolved, { ipsets }) : indexedEngine(resolved, { ipsets, node, draws }),
  );
  const context = freshContext({
    node,
    ...(options.seed === undefined ? {} : { seed: options.seed }),
    ...(options.ctState === undefined ? {} : { connection: connectionInState(options.ctState) }),
    ...(assume === undefined ? {} : { assume, assumeState: assume }),
  });
  return { rules, engine, context, ipsets };
}

export function nodeOf(options: NodeOptions): Node {
  return new Node(options.nodeIp, options.route);
}

export async function loadIpSets(path: string, io: Io): Promise<readonly IpSet[]> {
  const input = await readInput(path, io);
  const { sets, problems, text } = readIpSets(input.bytes);
  const source = { file: input.name, ...(text === undefined ? {} : { text }) };
  if (sets === undefined) throw new InputError(source, problems);
  if (problems.length > 0) io.complain(describeProblems(problems, source));
  return sets;
}

function assumptions(
  given: readonly Assumption[],
  resolved: ResolvedRuleSet,
  file: string,
): Context["assume"] | undefined {
  if (given.length === 0) return undefined;
  const byLine = new Map(given.map(({ line, holds }) => [line, holds]));
  const open = new Set(resolved.rules.filter(canBeAssumed).map(({ rule }) => rule.span?.line));
  const stray = given.find(({ line }) => !open.has(line));
  if (stray !== undefined)
    throw new UsageError(
      `--assume ${stray.line}: no rule with an unknown match or target, or with a test of state, stands at ${file}:${stray.line}`,
    );
  return (rule) => (rule.rule.span === undefined ? undefined : byLine.get(rule.rule.span.line));
}

function canBeAssumed(rule: ResolvedRule): boolean {
  return rule.rule.statements.some(
    (one) => one.kind === "opaque-match" || one.kind === "opaque-target" || asksState(one, rule),
  );
}

/** What a walk noted when it tested for local addresses of a node that has none (engine/evaluate.ts). */
const NO_ADDRESS = "the node has no address besides loopback";

/** Says so where the walk came to a test of local addresses, but was told none. */
export function warnOfMissingAddresses(given: Iterable<string>, io: Io): void {
  if ([...given].includes(NO_ADDRESS))
    io.complain(
      "chainwalk: warning: a rule asks for the node's own addresses, and no --node-ip was given: only loopback counts as local\n",
    );
}
