/**
 * Verify: proves that the compiled form of a rule set equals linear, for the whole header space and not for samples. Each base chain,
 * as rules and as what was compiled from them, becomes one decision diagram from the packet that enters it to the way it leaves it; equal
 * functions are the same diagram. Both walks put the base chains together in the same way, so equal chains make equal walks. What the
 * compiler worked out beyond a chain, the rows of the service map, is held against the walk put together from the chains.
 */
import type { Family } from "../../packet/address.js";
import type { Entrance } from "../../packet/packet.js";
import type { IpSet } from "../../ruleset/ipset.js";
import { ProblemError } from "../../ruleset/problem.js";
import { byId, type ResolvedChain } from "../../ruleset/resolve.js";
import type { Plan } from "../compile/compile.js";
import { indexedEngine } from "../indexed.js";
import { linearEngine } from "../linear.js";
import { describe } from "../place.js";
import { schedule } from "../path.js";
import type { Engine } from "../types.js";
import { ServiceChecker, startOf, strayDraw } from "./check-services.js";
import { type Counterexample, CounterexampleFinder } from "./counterexample.js";
import { ALL, type DiagramNode, Diagrams, NOTHING, TooManyNodes } from "./diagrams.js";
import { type Exit, Follower, OutOfBudget } from "./follow.js";
import { type Fate, Journey } from "./journey.js";
import { type StrayKey, strayIndexKeys, strayServices, strayTableKeys } from "./laws.js";
import { columnsProgram } from "./read-columns.js";
import { visitedSets } from "./read-indexes.js";
import { LookupReader } from "./read-lookups.js";
import { MatchReader } from "./read-matches.js";
import { rulesProgram } from "./read-rules.js";
import { readServices } from "./read-services.js";
import { Results } from "./results.js";
import type { Program } from "./rows.js";
import { Space } from "./space.js";
import { vocabularyOf } from "./vocabulary.js";

export interface VerifyOptions {
  readonly ipsets?: readonly IpSet[];
  /** Seconds after which it stops and says how far it got. Default: no limit. */
  readonly seconds?: number;
  /** The most nodes of decision diagrams held at once (16 bytes each). */
  readonly nodes?: number;
  /** Witnesses run for each base chain and for the service map. */
  readonly witnesses?: number;
  /** Told what is looked at next. */
  readonly progress?: (what: string) => void;
}

/** What was compared of one base chain. */
export interface ChainReport {
  readonly family: Family;
  readonly table: string;
  readonly chain: string;
  /** Classes of packets that linear tells apart. */
  readonly classes: number;
  /** Both forms were followed to the end. */
  readonly complete: boolean;
}

export interface Verification {
  /** Compiled equals linear: everything was looked at, and nothing differs. */
  readonly equal: boolean;
  /**
   * Classes of packets visited: in each base chain those that linear tells apart, and for each row of the service map those that fare
   * differently.
   */
  readonly classes: number;
  /** The share of the space that was covered: 1 where every base chain and every row of the service map was compared for all packets. */
  readonly share: number;
  readonly chains: readonly ChainReport[];
  /** Rows of the service map, and how many of them were compared. */
  readonly services: { readonly rows: number; readonly compared: number };
  /** Packets run through both engines besides. */
  readonly witnesses: number;
  readonly counterexample?: Counterexample;
  /** Why it is not equal, where there is no packet to show it. */
  readonly reason?: string;
}

const WITNESSES = 100;
const MOST_NODES = 60_000_000;
/** Nodes that may be made after a sweep before the next one. */
const SWEEP_AFTER = 2_000_000;

/** Compares a plan with the rule set it was made of. Throws nothing but what the engines throw for a rule set with errors. */
export function verify(plan: Plan, options: VerifyOptions = {}): Verification {
  const { resolved } = plan;
  const until = options.seconds === undefined ? Infinity : Date.now() + options.seconds * 1000;
  const ipsets = options.ipsets === undefined ? {} : { ipsets: options.ipsets };
  const linear = linearEngine(resolved, ipsets);
  const indexed = indexedEngine(resolved, { ...ipsets, node: plan.node, plan, draws: "replay" });
  const fused = indexedEngine(resolved, { ...ipsets, node: plan.node, plan });
  const families = (["ip", "ip6"] as const).filter((family) =>
    resolved.ruleset.tables.some((table) => table.family === family || table.family === "inet"),
  );
  let found: Verification = {
    equal: true,
    classes: 0,
    share: 1,
    chains: [],
    services: { rows: 0, compared: 0 },
    witnesses: 0,
  };
  let parts = 0;
  let covered = 0;
  for (const family of families) {
    const half = new FamilyVerifier(plan, family, { linear, indexed, fused }, options, until);
    half.run();
    parts += half.parts;
    covered += half.covered;
    found = {
      equal: found.equal && half.reason === undefined && half.counterexample === undefined,
      classes: found.classes + half.classes,
      share: found.share,
      chains: [...found.chains, ...half.chains],
      services: {
        rows: found.services.rows + half.services.rows,
        compared: found.services.compared + half.services.compared,
      },
      witnesses: found.witnesses + half.witnesses,
      ...(half.counterexample === undefined ? {} : { counterexample: half.counterexample }),
      ...(half.reason === undefined ? {} : { reason: half.reason }),
    };
    if (!found.equal) break;
  }
  return { ...found, share: parts === 0 ? 1 : covered / parts };
}

interface Engines {
  readonly linear: Engine;
  readonly indexed: Engine;
  readonly fused: Engine;
}

/** Everything about packets of one family. */
class FamilyVerifier {
  classes = 0;
  /** Things to compare, and how many of them were. */
  parts = 0;
  covered = 0;
  witnesses = 0;
  services = { rows: 0, compared: 0 };
  readonly chains: ChainReport[] = [];
  counterexample: Counterexample | undefined;
  reason: string | undefined;

  private readonly diagrams: Diagrams;
  private readonly space: Space;
  private readonly reader: MatchReader;
  private readonly lookups: LookupReader;
  private readonly exits = new Results<Exit>();
  private readonly fates = new Results<Fate>();
  private readonly follower: Follower;
  private readonly bases: readonly ResolvedChain[];
  /** Diagrams that a sweep must keep. */
  private readonly kept: DiagramNode[] = [];
  private readonly ofLinear = new Map<number, DiagramNode>();
  private readonly ofCompiled = new Map<number, DiagramNode>();
  private readonly finder: CounterexampleFinder;
  /** A lookup that breaks the law of its keys. */
  private broken: string | undefined;
  /** A statement a proof cannot go past. */
  private unread: string | undefined;
  private live = 0;
  private steps = 0;

  constructor(
    private readonly plan: Plan,
    private readonly family: Family,
    engines: Engines,
    private readonly options: VerifyOptions,
    private readonly until: number,
  ) {
    const { resolved, node } = plan;
    this.diagrams = new Diagrams(options.nodes ?? MOST_NODES, () => this.keepTime());
    this.space = new Space(this.diagrams, family, vocabularyOf(resolved, node));
    this.reader = new MatchReader(this.space, node);
    this.lookups = new LookupReader(this.space, this.reader);
    this.follower = new Follower(this.space, this.reader, this.exits, (held) => this.pause(held));
    const stations = schedule(resolved, family);
    this.bases = resolved.chains.filter(
      ({ base, table }) => base !== undefined && (table.family === family || table.family === "inet"),
    );
    const journey = (chains: ReadonlyMap<number, DiagramNode>): Journey =>
      new Journey(this.space, node, stations, this.exits, this.fates, (chain) => chains.get(chain)!);
    this.finder = new CounterexampleFinder(
      this.space,
      plan,
      engines,
      { linear: journey(this.ofLinear), compiled: journey(this.ofCompiled) },
      this.fates,
    );
  }

  /** Runs until everything is compared, something differs, or the budget is used up. */
  run(): void {
    this.services.rows = this.family === "ip" ? readServices(this.plan.tables).length : 0;
    this.parts = this.bases.length + (this.services.rows > 0 ? 1 : 0);
    try {
      this.checkLaws();
      if (this.isOver()) return;
      this.compareChains();
      if (this.isOver()) return;
      if (this.services.rows > 0 && this.unread === undefined) this.compareServices();
      if (!this.isOver()) this.reason = this.broken ?? this.unread;
    } catch (thrown) {
      if (thrown instanceof OutOfBudget) this.reason = "the budget of time was used up";
      else if (thrown instanceof TooManyNodes) this.reason = "the budget of memory was used up";
      else if (thrown instanceof ProblemError) throw thrown;
      // A proof that broke off proves nothing, whatever broke it.
      else this.reason = `the proof broke off, please report it: ${String(thrown)}`;
    }
  }

  private isOver(): boolean {
    return this.reason !== undefined || this.counterexample !== undefined;
  }

  private keepTime(): void {
    if (Date.now() > this.until) throw new OutOfBudget();
  }

  private pause(held: () => Iterable<DiagramNode>): void {
    if ((++this.steps & 255) === 0) this.keepTime();
    if (this.diagrams.size < 2 * this.live + SWEEP_AFTER) return;
    this.diagrams.sweep([...held(), ...this.kept]);
    this.live = this.diagrams.size;
  }

  /** The lookups themselves. */
  private checkLaws(): void {
    const { tables, indexes, resolved, columns } = this.plan;
    // The columns, and so their tables, are for IPv4 alone.
    if (this.family === "ip") {
      this.breakLaw("the service map", strayServices(tables, readServices(tables)));
      for (const table of columns.tables.rows) this.breakLaw("a set or map of the columns", strayTableKeys(table));
    }
    for (const chain of resolved.chains) {
      const index = indexes[chain.id];
      if (index === undefined || !this.sees(chain)) continue;
      this.breakLaw(`the index of chain ${chain.name} of table ${chain.table.name}`, strayIndexKeys(index));
    }
  }

  /** Where no packet shows what a broken law does, the chains are still compared: the proof fails either way. */
  private breakLaw(what: string, keys: readonly StrayKey[]): void {
    if (keys.length === 0 || this.isOver()) return;
    this.broken ??= `${what} breaks the law of its keys`;
    const shown = this.finder.ofKeys(keys);
    if (shown !== undefined) this.differ(this.broken, shown);
  }

  private sees({ table }: ResolvedChain): boolean {
    return table.family === this.family || table.family === "inet";
  }

  /** Something differs: with the packet that shows it, or with the reason alone. */
  private differ(reason: string, counterexample: Counterexample | undefined): void {
    this.counterexample = counterexample;
    this.reason = reason;
  }

  private compareChains(): void {
    const { resolved, columns } = this.plan;
    const linear = rulesProgram("linear", resolved, this.lookups);
    const visited = this.readIndexes();
    const indexed = this.leadsPastNone(linear, visited)
      ? undefined
      : rulesProgram("indexed", resolved, this.lookups, visited);
    const scanned = this.family === "ip" ? columnsProgram(columns, this.space, this.lookups, visited) : undefined;
    const everything = this.space.everything();
    const inBatch = this.diagrams.and(this.batchable(), everything);
    this.kept.push(everything, inBatch);
    for (const chain of this.bases) {
      const name = `${chain.table.name} ${chain.name}`;
      this.options.progress?.(`chain ${name}`);
      const { policy } = chain.base!;
      const before = this.follower.classes;
      const report = { family: this.family, table: chain.table.name, chain: chain.name };
      this.chains.push({ ...report, classes: 0, complete: false });
      const keep = (diagram: DiagramNode): DiagramNode => (this.kept.push(diagram), diagram);
      const truth = keep(this.follower.follow(linear, chain.id, policy, everything));
      const classes = this.follower.classes - before;
      const walked = indexed === undefined ? truth : keep(this.follower.follow(indexed, chain.id, policy, everything));
      this.ofLinear.set(chain.id, truth);
      this.ofCompiled.set(chain.id, walked);
      let scannedFrom = NOTHING;
      let scannedAs = NOTHING;
      if (scanned !== undefined) {
        const raw = keep(this.follower.follow(scanned, chain.id, policy, inBatch));
        scannedFrom = keep(this.diagrams.choose(inBatch, truth, NOTHING));
        // What the columns leave to the readable walk fares as there.
        const left = this.diagrams.whereTerminal(
          raw,
          (terminal) => terminal < ALL && this.exits.at(terminal).end.kind === "general",
        );
        scannedAs = keep(this.diagrams.choose(left, walked, raw));
      }
      this.classes += classes;
      const complete = this.isRead(truth);
      this.chains[this.chains.length - 1] = { ...report, classes, complete };
      if (complete) this.covered++;
      for (const [form, want, got] of [
        ["its index", truth, walked],
        ["its columns", scannedFrom, scannedAs],
      ] as const) {
        if (want === got) continue;
        if (form === "its columns") this.ofCompiled.set(chain.id, this.diagrams.join(got, walked));
        const differing = this.diagrams.differing(want, got);
        this.kept.push(differing);
        this.finishForFinder(chain, linear, everything);
        return this.differ(
          `chain ${name} and ${form} differ`,
          this.finder.ofChain(differing, entrancesOf(chain.base!.hook)),
        );
      }
    }
    if (this.counterexample === undefined && this.unread === undefined) this.runWitnesses();
  }

  /** Whether no packet comes to a statement that is not read; else notes the first one. */
  private isRead(truth: DiagramNode): boolean {
    for (const result of this.diagrams.resultsOf(truth)) {
      const { end } = this.exits.at(result);
      if (end.kind !== "unread") continue;
      const rule = byId(this.plan.resolved.rules)[end.rule]!;
      const { kind } = rule.rule.statements[end.statement]!;
      this.unread ??= `the statement ${kind} of rule ${describe({ at: rule })} cannot be proved yet`;
      return false;
    }
    return true;
  }

  /** The chains that were not looked at yet, as linear has them on both sides: a packet must be led through them. */
  private finishForFinder(from: ResolvedChain, linear: Program, everything: DiagramNode): void {
    this.kept.push(...this.ofCompiled.values());
    for (const chain of this.bases.slice(this.bases.indexOf(from) + 1)) {
      const diagram = this.follower.follow(linear, chain.id, chain.base!.policy, everything);
      this.kept.push(diagram);
      this.ofLinear.set(chain.id, diagram);
      this.ofCompiled.set(chain.id, diagram);
    }
  }

  /** For each rule of an indexed chain the packets that come to it. */
  private readIndexes(): (chain: number, index: number) => DiagramNode {
    const sets = this.plan.indexes.map((index) => {
      if (index === undefined || !this.sees(index.chain)) return undefined;
      const visited = visitedSets(index, this.space);
      this.kept.push(...visited);
      return visited;
    });
    return (chain, index) => sets[chain]?.[index] ?? ALL;
  }

  /** Whether no packet that a rule's first tests let through is led past it: then the indexed walk is the linear one. */
  private leadsPastNone(linear: Program, visited: (chain: number, index: number) => DiagramNode): boolean {
    return this.plan.resolved.chains.every((chain) => {
      if (this.plan.indexes[chain.id] === undefined || !this.sees(chain)) return true;
      for (let index = 0; index < linear.length(chain.id); index++) {
        const comes = visited(chain.id, index);
        if (comes === ALL) continue;
        let tested: DiagramNode = ALL;
        for (const step of linear.row(chain.id, index).steps) {
          if (step.kind !== "header") break;
          tested = this.diagrams.and(tested, step.set);
        }
        if (this.diagrams.minus(tested, comes) !== NOTHING) return false;
        this.pause(() => this.reader.sets());
      }
      return true;
    });
  }

  /** Packets a batch can hold: no fragments, bridge ports or hardware addresses. */
  private batchable(): DiagramNode {
    const { space } = this;
    return space.all([
      space.equals("fragment", 0),
      space.equals("physIn", 0),
      space.equals("physOut", 0),
      space.equals("mac", 0),
    ]);
  }

  private compareServices(): void {
    const { space, plan, diagrams } = this;
    const services = readServices(plan.tables);
    const checker = new ServiceChecker(space, plan.node, plan.tables, this.finder.journeys.linear, this.fates);
    const every = Math.max(1, Math.floor(services.length / (this.options.witnesses ?? WITNESSES)));
    for (const [i, service] of services.entries()) {
      if ((i & 1023) === 0) this.options.progress?.(`services ${i} of ${services.length}`);
      this.pause(() => this.reader.sets());
      const { walked, said } = checker.both(service);
      const name = `the row of ${service.record.chain ?? "a fixed outcome"} in the service map`;
      if (walked !== said)
        return this.differ(
          `${name} differs from the walk`,
          this.finder.ofStart(diagrams.differing(walked, said), startOf(service)),
        );
      const draw = strayDraw(service);
      if (draw !== undefined)
        return this.differ(`${name} has weights that are not its probabilities`, this.finder.ofPick(service, draw));
      this.classes += diagrams.resultsOf(walked).length;
      this.services = { ...this.services, compared: i + 1 };
      if (i % every === 0) {
        const wrong = this.finder.check(diagrams.someOf(walked, 2), startOf(service));
        this.witnesses += 2;
        if (wrong !== undefined) return this.differ(wrong.reason, wrong.counterexample);
      }
    }
    this.covered++;
  }

  /** One packet of some of the classes of each base chain, through both engines, and held against what the diagrams say of it. */
  private runWitnesses(): void {
    const { diagrams } = this;
    for (const chain of this.bases) {
      const truth = this.ofLinear.get(chain.id)!;
      const some = diagrams.someOf(truth, this.options.witnesses ?? WITNESSES);
      for (const entrance of entrancesOf(chain.base!.hook)) {
        const wrong = this.finder.checkAll(some, entrance);
        this.witnesses += some.length;
        if (wrong !== undefined) return this.differ(wrong.reason, wrong.counterexample);
      }
    }
  }
}

/** Where packets enter that come to a hook. */
function entrancesOf(hook: string): readonly Entrance[] {
  if (hook === "output") return ["output"];
  return hook === "postrouting" ? ["prerouting", "output"] : ["prerouting"];
}
