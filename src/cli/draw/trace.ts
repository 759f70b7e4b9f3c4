/** A trace as text for people: hooks, chains nested as they are entered, each rule that matched with its line number. */
import type { createColors } from "picocolors";
import { formatAddress } from "../../packet/address.js";
import type { Packet } from "../../packet/packet.js";
import type { ResolvedRule } from "../../ruleset/resolve.js";
import type { Outcome, Step, Trace } from "../../engine/types.js";
import type { RuleFormat } from "../../syntax/read.js";
import { endpointText, entranceText, isWorthSaying, markText, sourceText, tupleText, verdictName } from "./packet.js";
import { ruleBody } from "./rule-text.js";
import { WIDTH, wrap, wrapRule } from "./wrap.js";

type Colors = ReturnType<typeof createColors>;

export interface TraceTitle {
  readonly packet: Packet;
  readonly engine: string;
  readonly connectionState: string;
  /** How the rule set spells its rules. */
  readonly format: RuleFormat;
}

/** Lines of at most 100 characters (single words excepted), with a line end each. */
export function drawTrace(trace: Trace, title: TraceTitle, colors: Colors): string {
  const { packet, engine, connectionState } = title;
  const mark = packet.mark === 0 ? "" : `, mark ${markText(packet.mark)}`;
  const head = `${colors.bold(tupleText(packet))}   ${entranceText(packet)}, connection ${connectionState}${mark}`;
  const body = new TraceDrawing(trace, title, colors).lines();
  const foot = drawOutcome(trace.outcome, packet, colors);
  const given = trace.given.filter(isWorthSaying).map((text) => colors.dim(`given: ${text}`));
  return [head, "", ...body, "", ...foot, ...(given.length > 0 ? ["", ...given] : []), colors.dim(`engine: ${engine}`)]
    .map((line) => `${line.trimEnd()}\n`)
    .join("");
}

/** The steps of one way to an outcome, as a trace shows them. */
export function drawPath(steps: readonly Step[], outcome: Outcome, title: TraceTitle, colors: Colors): string[] {
  return new TraceDrawing({ steps, outcome, given: [] }, title, colors).lines();
}

/** The chains entered stand on a stack; the chain of the next step tells which of them have been left. */
class TraceDrawing {
  private readonly out: string[] = [];
  private readonly gutter: number;
  /** Chains that are open, and whether a rule of each matched. */
  private open: { readonly name: string; matched: boolean }[] = [];
  private table = "";
  private inHook = false;
  private mark: number | undefined;

  constructor(
    private readonly trace: Trace,
    private readonly title: TraceTitle,
    private readonly colors: Colors,
  ) {
    const last = Math.max(0, ...trace.steps.map((step) => (step.kind === "rule" ? lineOf(step.rule) : 0)));
    this.gutter = Math.max(4, String(last).length) + 2;
    this.mark = title.packet.mark;
  }

  lines(): string[] {
    if (this.trace.steps.some((step) => step.kind === "rule")) this.put(0, this.colors.dim("line"), true);
    for (const step of this.trace.steps) this.step(step);
    this.leaveTo(0);
    return this.out;
  }

  private step(step: Step): void {
    const { colors } = this;
    switch (step.kind) {
      case "hook":
        this.leaveTo(0);
        this.inHook = true;
        return this.put(0, colors.bold(step.hook));
      case "chain": {
        if (this.table !== step.table) this.leaveTo(0);
        this.table = step.table;
        if (step.instead === true) this.open.pop();
        const name = this.open.length === 0 ? `${step.table} ${step.chain}` : step.chain;
        this.put(this.depth, colors.cyan(name));
        this.open.push({ name: step.chain, matched: false });
        return;
      }
      case "rule":
        return this.rule(step.rule);
      case "policy":
        this.leaveTo(1);
        this.put(this.depth, colors.dim(`policy ${step.policy.toUpperCase()}`));
        this.open[0]!.matched = true;
        return this.leaveTo(0);
      case "lookup":
        if (step.chain !== undefined) this.leaveTo(this.open.findIndex(({ name }) => name === step.chain) + 1);
        return this.putWrapped(this.depth, `lookup ${step.table}: ${step.key} -> ${step.found ?? "nothing"}`, (line) =>
          step.found === undefined ? line.replace(/nothing$/, colors.dim("nothing")) : line,
        );
      case "pick":
        return this.put(this.depth, `pick ${step.index + 1} of ${step.of}: ${colors.yellow(step.endpoint)}`);
      case "translate": {
        const to = step.what === "source" ? sourceText(this.trace.outcome.source!) : step.to;
        return this.putWrapped(this.depth, `${step.what} ${step.from} -> ${to}`, colors.yellow);
      }
      case "route": {
        this.leaveTo(0);
        this.inHook = false;
        const way = step.local ? "to the node itself" : step.oif === "" ? "leads nowhere" : `by ${step.oif}`;
        return this.put(0, `${colors.bold("routing")} ${formatAddress(step.destination)} ${way}`);
      }
    }
  }

  private rule(rule: ResolvedRule): void {
    const { colors } = this;
    const { name } = rule.chain;
    const at = this.open.findIndex((chain) => chain.name === name);
    if (at >= 0) this.leaveTo(at + 1);
    const own = this.open[this.open.length - 1];
    if (own !== undefined) own.matched = true;
    const text = ruleBody(rule, this.title.format);
    const indent = 2 * this.depth;
    const [first, ...rest] = wrapRule(text === "" ? "(no match, no target)" : text, WIDTH - this.gutter - indent - 2);
    const line = lineOf(rule);
    this.out.push(
      `${colors.dim((line === 0 ? `#${rule.number}` : String(line)).padStart(this.gutter - 2))}  ${" ".repeat(indent)}${first}`,
    );
    for (const more of rest) this.put(this.depth + 1, more);
    for (const statement of rule.rule.statements) {
      if (statement.kind === "copy-mark") this.mark = undefined;
      if (statement.kind !== "set-mark" || statement.field !== "mark" || this.mark === undefined) continue;
      const before = this.mark;
      this.mark = ((before & ~statement.clear) ^ statement.xor) >>> 0;
      this.put(this.depth, colors.yellow(`mark ${markText(before)} -> ${markText(this.mark)}`));
    }
  }

  private get depth(): number {
    return this.open.length + (this.inHook ? 1 : 0);
  }

  /** Closes chains until so many are open; a chain none of whose rules matched says so. */
  private leaveTo(count: number): void {
    while (this.open.length > count) {
      if (!this.open[this.open.length - 1]!.matched) this.put(this.depth, this.colors.dim("no rule matches"));
      this.open.pop();
    }
  }

  private put(depth: number, text: string, atEdge = false): void {
    this.out.push(`${" ".repeat(atEdge ? this.gutter - 6 : this.gutter + 2 * depth)}${text}`);
  }

  private putWrapped(depth: number, text: string, paint: (text: string) => string): void {
    wrap(text, WIDTH - this.gutter - 2 * depth - 2).forEach((line, i) =>
      this.put(depth + (i === 0 ? 0 : 1), paint(line)),
    );
  }
}

/** The line of the text a rule stands on; 0 for one that was added. */
function lineOf(rule: ResolvedRule): number {
  return rule.rule.span?.line ?? 0;
}

function drawOutcome(outcome: Outcome, packet: Packet, colors: Colors): string[] {
  const { verdict, tuple, source, destination, work, by } = outcome;
  const paint = verdict === "accept" ? colors.green : colors.red;
  const rows: [string, string][] = [];
  const { protocol } = packet;
  if (destination !== undefined) {
    const from = endpointText(packet.dst, packet.dport, protocol);
    rows.push(["destination", `${from} -> ${endpointText(tuple.dst, tuple.dport, protocol)}`]);
  } else rows.push(["destination", "unchanged"]);
  if (source === undefined) rows.push(["source", "unchanged"]);
  else
    rows.push([
      "source",
      `${formatAddress(packet.src)} -> ${sourceText(source)}${source.kind === "masquerade" ? " (masqueraded)" : ""}`,
    ]);
  rows.push(["mark", markText(outcome.mark)]);
  if (outcome.notrack) rows.push(["conntrack", "the connection is not tracked"]);
  rows.push(["work", workText(work)]);
  const head = paint(colors.bold(verdictName(outcome)));
  return [`${head}  ${whereText(outcome, by)}`, ...rows.map(([name, text]) => `  ${name.padEnd(13)}${text}`)];
}

function whereText(
  { verdict, way, oif, tuple, protocol, rejectWith, unreachable }: Outcome & { protocol?: number },
  by?: ResolvedRule,
): string {
  if (verdict === "accept") {
    const to = endpointText(tuple.dst, tuple.dport, protocol ?? tuple.protocol);
    return way === "local" ? `delivered to the node, ${to}` : `leaves by ${oif} to ${to}`;
  }
  if (unreachable === true) return "dropped: no route leads to its destination";
  const how = verdict === "reject" ? `rejected with ${rejectWith ?? "an error"}` : "dropped";
  if (by === undefined) return `${how} by a policy`;
  const line = lineOf(by);
  return `${how} by rule ${by.number} of ${by.chain.table.name} ${by.chain.name}${line === 0 ? "" : `, line ${line}`}`;
}

function workText(work: Outcome["work"]): string {
  const count = (n: number, one: string, many = `${one}s`): string => `${n} ${n === 1 ? one : many}`;
  return [
    `${count(work.rulesVisited, "rule")} visited`,
    `${count(work.chainsEntered, "chain")} entered`,
    count(work.draws, "draw"),
    count(work.mapLookups, "map lookup"),
  ].join(", ");
}
