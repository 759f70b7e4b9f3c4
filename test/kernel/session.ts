/** A rule set on both sides: what goes in, what the kernel does, what the project says of it. */
import { formatTuple } from "../../src/packet/tuple.js";
import { resolve } from "../../src/ruleset/resolve.js";
import type { IpSet } from "../../src/ruleset/ipset.js";
import { readIpSets } from "../../src/syntax/ipset.js";
import { readRules } from "../../src/syntax/read.js";
import type { RuleSet } from "../../src/ruleset/types.js";
import { disagreements, tally } from "./compare.js";
import type { Injection, KernelNode } from "./kernel-node.js";
import type { Observation } from "./observation.js";
import { type Prediction, ProjectNode, type ProjectOptions } from "./project-node.js";

/** Both sides of one packet. */
export interface Exchange {
  readonly injection: Injection;
  readonly seen: Observation;
  readonly said: Prediction;
  readonly differences: readonly string[];
}

export class Session {
  private constructor(
    readonly kernel: KernelNode,
    readonly project: ProjectNode,
    readonly text: string,
    /** Elements of nftables sets count their time from here. */
    private readonly opened: number,
  ) {}

  /** Loads a rule text on both sides; all built-in tables are there afterwards. */
  static async open(kernel: KernelNode, text: string, options: ProjectOptions = {}): Promise<Session> {
    const nftables = kernel.backend === "nftables";
    const whole = nftables ? text : completeTables(text);
    const ruleset = read(whole, kernel.family, nftables ? "nft" : undefined);
    const project = new ProjectNode(ruleset, kernel.node, { ...options, nftables });
    // Lists of xt_recent live on while any rule names them: the rule set before must be gone first.
    if (whole.includes("-m recent")) await kernel.load(completeTables(""), () => 0);
    await kernel.load(whole, project.names.lengths);
    await kernel.forgetConnections();
    tally.rulesets++;
    return new Session(kernel, project, whole, Date.now());
  }

  /** The clock of the project's side, milliseconds. */
  get now(): number {
    return Date.now() - this.opened;
  }

  /** Sends packets one after the other and lets the project follow. */
  async send(injections: readonly Injection[]): Promise<Exchange[]> {
    const { now } = this;
    const seen = await this.kernel.send(injections);
    return injections.map((injection, i) => {
      const predicted = this.project.process(injection.packet, seen[i]!, now);
      const said = this.project.adoptDrawnPort(predicted, seen[i]!.entry, now);
      const differences = disagreements(injection.packet, seen[i]!, said, this.project.names);
      return { injection, seen: seen[i]!, said, differences };
    });
  }

  /** As send; throws where the two sides disagree. */
  async agree(injections: readonly Injection[], hint = ""): Promise<Exchange[]> {
    const exchanges = await this.send(injections);
    for (const exchange of exchanges)
      if (exchange.differences.length > 0) throw new Error(`${hint}${describeExchange(exchange)}`);
    return exchanges;
  }

  async forgetConnections(): Promise<void> {
    await this.kernel.forgetConnections();
    this.project.forgetConnections(this.kernel.family);
  }
}

/** Counter statements of nftables on which the two sides disagree, as they stand now. */
export function counterDisagreements(kernel: KernelNode, { names, counters, unsure }: ProjectNode): string[] {
  if (unsure) return [];
  const listed = resolve(read(kernel.save(), kernel.family, "nft"));
  return listed.rules.flatMap(({ rule, chain, number }) => {
    const counted = sum(rule.statements.map((one) => (one.kind === "counter" ? one.packets : 0)));
    const said = counters.get(names.find({ table: chain.table.name, chain: chain.name, number, mark: 0 })) ?? 0;
    if (counted > 0) tally.counters++;
    if (counted === said) return [];
    return [`counter of ${chain.table.name}:${chain.name}:${number}: kernel ${counted}, project ${said}`];
  });
}

const sum = (numbers: readonly number[]): number => numbers.reduce((all, one) => all + one, 0);

export function describeExchange({ injection, differences }: Exchange): string {
  const { packet } = injection;
  const where = packet.entrance === "output" ? `from the node with mark ${packet.mark}` : `in by ${packet.iif}`;
  return `${formatTuple(packet)} ${where}, flags ${packet.tcpFlags}:\n  ${differences.join("\n  ")}`;
}

/** Reads a text of `ipset save`; throws with its problems. */
export function readSets(text: string): readonly IpSet[] {
  const { sets, problems } = readIpSets(text);
  if (sets === undefined || problems.length > 0) throw new Error(problems.map((p) => p.message).join("\n"));
  return sets;
}

/** Reads a rule text, of iptables where nothing else is said; throws with its problems. */
export function read(text: string, family: "ip" | "ip6", from?: "nft"): RuleSet {
  const format = from ?? (family === "ip" ? "iptables-save" : "ip6tables-save");
  const { ruleset, problems } = readRules(text, { family, from: format });
  if (ruleset === undefined) throw new Error(problems.map((p) => `${p.span?.line}: ${p.message}`).join("\n"));
  return ruleset;
}

const builtin: Readonly<Record<string, readonly string[]>> = {
  raw: ["PREROUTING", "OUTPUT"],
  mangle: ["PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"],
  nat: ["PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"],
  filter: ["INPUT", "FORWARD", "OUTPUT"],
};

/** The text with the tables and built-in chains it does not name, empty: so that loading it leaves nothing of the rule set before. */
export function completeTables(text: string): string {
  const lines = text.trimEnd() === "" ? [] : text.trimEnd().split("\n");
  for (const [table, chains] of Object.entries(builtin)) {
    const at = lines.indexOf(`*${table}`);
    const lacking = chains.filter(
      (chain) => !lines.some((line, i) => i > at && line.startsWith(`:${chain} `) && tableOf(lines, i) === table),
    );
    const declared = lacking.map((chain) => `:${chain} ACCEPT [0:0]`);
    if (at < 0) lines.push(`*${table}`, ...declared, "COMMIT");
    else lines.splice(at + 1, 0, ...declared);
  }
  return `${lines.join("\n")}\n`;
}

function tableOf(lines: readonly string[], at: number): string | undefined {
  for (let i = at; i >= 0; i--) if (lines[i]!.startsWith("*")) return lines[i]!.slice(1);
  return undefined;
}
