/**
 * The indexed engine: runs a compiled plan. A new connection to a destination in the service map costs one lookup and one pick;
 * everything else walks with chain indexes, on columns in a batch, readably otherwise. Its outcomes equal those of linear.
 */
import { addressWords, formatEndpoint } from "../packet/address.js";
import type { PacketBatch } from "../packet/batch.js";
import type { Node } from "../packet/node.js";
import type { Packet } from "../packet/packet.js";
import { protocolName } from "../packet/protocol.js";
import type { Changes } from "../ruleset/changes.js";
import type { ResolvedRuleSet } from "../ruleset/resolve.js";
import type { RuleSet } from "../ruleset/types.js";
import { layOut } from "./compile/columns.js";
import { compile, type Plan } from "./compile/compile.js";
import { UpdatablePlan, type UpdateReport } from "./compile/update.js";
import { classifyOne, type EngineOptions, walkingEngine } from "./linear.js";
import { semanticsOf, type Skip } from "./machine.js";
import type { OutcomeBatch } from "./outcome-batch.js";
import { Scan } from "./scan.js";
import { ServiceLookup } from "./service-lookup.js";
import type { Context, Distribution, Engine, Outcome, Trace } from "./types.js";

export { PICK_DRAW } from "./service-lookup.js";

export interface IndexedOptions extends EngineOptions {
  /** The node the plan is made for; a context with another node is walked without the service map. */
  readonly node: Node;
  /**
   * `fused` (the default): one u32 a pick, against integer weights. `replay`: the draws of the rules one after the other, by
   * name, so that with the same draws every packet fares as under linear.
   */
  readonly draws?: "fused" | "replay";
  /** A plan made before, for this rule set and node. */
  readonly plan?: Plan;
}

/** The column-scanned linear walk: what benches compare with. Equal to `linearEngine`, on typed arrays; IPv6 packet by packet. */
export function columnEngine(resolved: ResolvedRuleSet, options: IndexedOptions): Engine {
  const plain = walkingEngine("columns", resolved, semanticsOf(options.ipsets));
  const scan = new Scan(resolved, layOut(resolved), options.node);
  return { ...plain, classifyBatch: (batch, context, out) => scanBatch(scan, plain, batch, context, out) };
}

function scanBatch(scan: Scan, plain: Engine, batch: PacketBatch, context: Context, out: OutcomeBatch): void {
  out.reset();
  scan.begin(batch, context);
  const fits = batch.family === "ip" && context.node === scan.node;
  for (let i = 0; i < batch.count; i++) {
    if (!fits || !scan.walk(batch, i, context, out)) out.set(i, classifyOne(plain, batch, i, context));
  }
  scan.finish(out);
}

/** The engine with a `plan`, for those who want to see it. */
export interface IndexedEngine extends Engine {
  readonly plan: Plan;
}

/** Compiles a rule set for a node. Throws ProblemError where the rule set has errors. */
export function indexedEngine(resolved: ResolvedRuleSet, options: IndexedOptions): IndexedEngine {
  return new PlanRunner(options.plan ?? compile(resolved, options.node), options);
}

/** An engine whose rule set can change under way. */
export interface UpdatableEngine extends IndexedEngine {
  /**
   * Applies changes to the compiled form, chain by chain; a batch sees the version before or after, whole. `plan.resolved` is the rule set
   * with the changes, for other engines over it. Throws ProblemError where the changed rule set would have errors: nothing has changed then.
   */
  update(changes: Changes): UpdateReport;
}

/** The same engine for a rule set that will change. It keeps more beside the plan: what each destination depends on. */
export function updatableEngine(ruleset: RuleSet, options: IndexedOptions): UpdatableEngine {
  const plan = new UpdatablePlan(ruleset, options.node);
  let runner = new PlanRunner(plan, options);
  const engine: UpdatableEngine = {
    name: "indexed",
    plan,
    classify: (packet, context) => runner.classify(packet, context),
    classifyBatch: (batch, context, out) => runner.classifyBatch(batch, context, out),
    trace: (packet, context) => runner.trace(packet, context),
    outcomes: (packet, context, paths) => runner.outcomes(packet, context, paths),
    update(changes) {
      if (runner.busy) throw new Error("a rule set cannot change while a batch runs over it");
      const report = plan.update(changes);
      if (report.kind === "full") runner = new PlanRunner(plan, options);
      else runner.refresh();
      return report;
    },
  };
  return engine;
}

/** Runs a plan. */
class PlanRunner implements IndexedEngine {
  readonly name = "indexed";
  /** A batch is under way. */
  busy = false;
  private readonly walking: Engine;
  private readonly lookup: ServiceLookup;
  private readonly scan: Scan;

  constructor(
    readonly plan: Plan,
    { ipsets, draws }: IndexedOptions,
  ) {
    this.walking = walkingEngine(this.name, plan.resolved, semanticsOf(ipsets), skipping(plan));
    this.lookup = new ServiceLookup(plan, draws === "replay");
    this.scan = new Scan(plan.resolved, plan.columns, plan.node, plan.indexes);
  }

  /** After the plan has changed in place. */
  refresh(): void {
    this.lookup.refresh();
    this.scan.refresh();
  }

  classify(packet: Packet, context: Context): Outcome {
    const row = this.lookup.find(packet, context);
    return row < 0 ? this.walking.classify(packet, context) : this.lookup.outcome(row, packet, context);
  }

  classifyBatch(batch: PacketBatch, context: Context, out: OutcomeBatch): void {
    this.busy = true;
    try {
      this.runBatch(batch, context, out);
    } finally {
      this.busy = false;
    }
  }

  private runBatch(batch: PacketBatch, context: Context, out: OutcomeBatch): void {
    const { lookup, scan, walking } = this;
    out.reset();
    scan.begin(batch, context);
    const fits = batch.family === "ip" && context.node === this.plan.node;
    if (fits) lookup.batch(batch, context, out);
    for (let n = 0, i: number; n < (fits ? lookup.leftOver : batch.count); n++) {
      i = fits ? lookup.left[n]! : n;
      if (!fits || !scan.walk(batch, i, context, out)) out.set(i, classifyOne(walking, batch, i, context));
    }
    scan.finish(out);
  }

  trace(packet: Packet, context: Context): Trace {
    const row = this.lookup.find(packet, context);
    return row < 0 ? this.walking.trace(packet, context) : this.lookup.trace(row, packet, context);
  }

  outcomes(packet: Packet, context: Context, paths = false): Distribution {
    const row = this.lookup.find(packet, context);
    return row < 0 ? this.walking.outcomes(packet, context, paths) : this.lookup.outcomes(row, packet, paths);
  }
}

/** Skips the rules of an indexed chain that the packet cannot match. */
function skipping(plan: Plan): Skip {
  return (walk, frame) => {
    const index = plan.indexes[frame.chain.id];
    if (index === undefined || frame.rule >= frame.chain.rules.length) return;
    const { protocol, sport, dport } = walk;
    const key = { src: addressWords(walk.src), dst: addressWords(walk.dst), protocol, sport, dport };
    walk.work.mapLookups += index.lookups;
    frame.rule = index.next(frame.rule, key);
    walk.steps?.push({
      kind: "lookup",
      table: `${frame.chain.table.name} ${frame.chain.name}`,
      key: `${formatEndpoint(walk.dst, dport)} ${protocolName(protocol)}`,
      found: frame.rule < frame.chain.rules.length ? `rule ${frame.rule + 1}` : undefined,
    });
  };
}
