/** Picks of services, drawn packet by packet or as counts. */
import seedrandom from "seedrandom";
import { namedDraw } from "../../engine/draw.js";
import { PickSampler } from "../../traffic/picks.js";
import { drawMultinomial } from "../../stats/sampling.js";
import { blaming, UsageError } from "../failure.js";
import type { Io } from "../io.js";
import { type Walking, warnOfMissingAddresses } from "../options/walk.js";
import {
  type Cell,
  cellName,
  countCells,
  evenCells,
  type Expectation,
  expectedCells,
  probabilitiesOf,
} from "./cells.js";
import { judge, type Judgement } from "./judge.js";
import type { Target } from "./targets.js";

/** packets: each pick by the engine. counts: the counts at once, a multinomial draw from the exact probabilities. */
export const DRAWS = ["packets", "counts"] as const;
export type DrawsName = (typeof DRAWS)[number];

/** The names of packets are uint32. */
const NAMES = 2 ** 32;
const TOLD_EVERY = 2 ** 18;

export interface PickOptions {
  readonly samples: number;
  readonly draws: DrawsName;
  readonly expect: Expectation;
}

/** Samples and judges services of one rule set, any number of seeds. */
export class PickCheck {
  private readonly samplers = new Map<string, PickSampler>();
  private readonly byRules: Cell[][];

  /** Finds the exact probabilities of every target. Throws UsageError where packets would have too few names. */
  constructor(
    private readonly walking: Walking,
    private readonly targets: readonly Target[],
    private readonly options: PickOptions,
    private readonly io: Io,
  ) {
    const { samples, draws } = options;
    if (draws === "packets" && samples * targets.length > NAMES)
      throw new UsageError(
        `${targets.length} services of ${samples} samples are more than ${NAMES} packets of one seed: ask for fewer, or for --draw counts`,
      );
    const given = new Set<string>();
    this.byRules = targets.map(({ packet }) => {
      const found = blaming(walking.rules.source, () => expectedCells(walking, packet));
      for (const condition of found.given) given.add(condition);
      return found.cells;
    });
    warnOfMissingAddresses(given, io);
  }

  /** One judgement a target. */
  run(seed: number): Judgement[] {
    return this.targets.map((target, index) => {
      const rules = this.byRules[index]!;
      const cells = this.options.expect === "even" ? evenCells(rules) : [...rules];
      const counts =
        this.options.draws === "counts" ? this.drawCounts(target, rules, seed) : this.send(target, index, seed);
      return judge(cells, countCells(cells, counts));
    });
  }

  private drawCounts({ service }: Target, cells: readonly Cell[], seed: number): Map<string, number> {
    const random = seedrandom.alea(`${seed} ${service}`).double;
    const counts = drawMultinomial(this.options.samples, probabilitiesOf(cells), random);
    return new Map(cells.map(({ to }, i) => [to, counts[i]!]));
  }

  /** Packets of different services have different names, so that their draws are independent. */
  private send({ packet }: Target, index: number, seed: number): Map<string, number> {
    const { engine, context, rules } = this.walking;
    const { samples } = this.options;
    let sampler = this.samplers.get(packet.family);
    if (sampler === undefined) this.samplers.set(packet.family, (sampler = new PickSampler(engine, packet.family)));
    const own = { ...context, draw: namedDraw(seed) };
    const fates = blaming(rules.source, () =>
      sampler.sample(packet, samples, index * samples, own, (done) => this.tell(done)),
    );
    if (this.io.interactive && samples > TOLD_EVERY) this.io.complain("\r\u001b[K");
    return new Map(fates.map((fate) => [cellName(fate, packet.protocol), fate.count]));
  }

  private tell(done: number): void {
    if (this.io.interactive && done > 0 && done % TOLD_EVERY === 0)
      this.io.complain(`\r${Math.floor((done / this.options.samples) * 100)} % of ${this.options.samples} packets`);
  }
}
