import { type Command, Option } from "commander";
import { holm } from "../../stats/holm.js";
import { uniformityTest } from "../../stats/kolmogorov.js";
import { formatCount } from "../../report/table.js";
import { fixedSizes, type Sizes } from "../../traffic/sizes.js";
import { type Expectation, EXPECTATIONS } from "../check/cells.js";
import { judgeCounters } from "../check/counters.js";
import { jsonCounters, jsonJudgement, jsonMany, jsonRepetition, jsonTraffic } from "../check/json.js";
import { adjust, isTested, LEAST_EXPECTED } from "../check/judge.js";
import { DRAWS, type DrawsName, PickCheck } from "../check/picks.js";
import { type Target, targetsOf } from "../check/targets.js";
import { checkTraffic } from "../check/traffic.js";
import { drawCheck, drawTests } from "../draw/check.js";
import { drawCounters, drawMany, drawRepetition, drawTraffic, type NamedJudgement } from "../draw/check-many.js";
import { endpointText } from "../draw/packet.js";
import { ANSWER_NO, DONE, UsageError } from "../failure.js";
import type { Io } from "../io.js";
import { addRulesOptions, loadRules, type RulesOptions } from "../options/rules.js";
import {
  choiceWord,
  endpointWord,
  type EndpointWord,
  several,
  shareWord,
  sizesWord,
  wholeWord,
} from "../options/values.js";
import {
  addEngineOption,
  addWalkOptions,
  type EngineName,
  prepareWalk,
  seedWord,
  type Walking,
  type WalkOptions,
} from "../options/walk.js";

interface CheckOptions extends Omit<RulesOptions, "rules">, WalkOptions {
  readonly rules?: string;
  readonly counters?: string;
  readonly service?: readonly string[];
  readonly samples: number;
  readonly seed: number;
  readonly alpha: number;
  readonly draw: DrawsName;
  readonly expect: Expectation;
  readonly repeat?: number;
  readonly by: "connection" | "packet";
  readonly clients?: number;
  readonly packetsPerConnection?: Sizes;
  readonly src?: EndpointWord;
  readonly engine: EngineName;
  readonly json?: true;
}

const MOST_SAMPLES = Number.MAX_SAFE_INTEGER;
const MOST_CONNECTIONS = 1_000_000;
const DEFAULT_CLIENTS = 64;
const DEFAULT_SIZES = fixedSizes(1);

const HELP = `
Sends first packets to services, counts which endpoint each gets, and compares the counts with the exact probabilities of the
rules (--expect even: with equal ones) by Pearson's chi-square test and the G-test. Cells that expect fewer than ${LEAST_EXPECTED} picks are
pooled. Several --service, or none for all: p-values are adjusted by Holm's method.
--draw counts does not send packets: the counts are one multinomial draw from the probabilities of the rules, for any number.
--repeat R: seeds S to S+R-1; the p-values themselves must be uniform (Kolmogorov-Smirnov).
--by packet, or --clients: connections through conntrack, from C clients, each with its packets; picks and packets side by side.
--counters F: F is "iptables-save -c" of a real node (or an nft list with counters in the endpoint chains): were the picks that really
happened chance, by service.
Exit code 1: a p-value is below alpha, so the picks do not follow the probabilities.

JSON (--json), RESULT = {samples, chiSquare, degreesOfFreedom, pValue, gTest: {statistic, pValue}, largestDeviation: {to: [...], relative,
standardDeviations} | null, pooled: [[to, ...]], cells: [{to, p: "num/den", expected, observed}]}:
  one service     {service, destination, protocol, engine, seed, alpha, draw, expect, passed, ...RESULT}
  several         {engine, seed, alpha, draw, expect, passed, services: [{service, tested, adjustedPValue, ...RESULT}]}
  --repeat        {engine, seed, alpha, draw, expect, passed, samples, services: [name], repeat, rejections, uniformity: {statistic, pValue,
                  count}, pValues: [...]}: by seed, then by service; rejections: seeds with an adjusted p-value below alpha
  traffic         {service, destination, protocol, engine, seed, alpha, passed, connections, clients, packetsPerConnection, picks, packets,
                  designEffect, picksTest, packetsTest, correctedTest: {chiSquare, degreesOfFreedom, pValue},
                  cells: [{to, p, picks, connections, packets}]}
  --counters      {file, alpha, passed, services: [{service, chain, local, byAffinity, tested, adjustedPValue, ...RESULT}], mixed: [name]};
                  p is a number; mixed: services whose counters hold more than picks, not judged

Examples:
  chainwalk check --rules datasets/nginx-clusterip/rules.iptables-save --service default/nginx --samples 100000 --seed 7
  chainwalk check --rules rules.iptables-save --samples 20000 --repeat 50 --json
  chainwalk check --rules rules.iptables-save --service prod/web --by packet --packets-per-connection pareto:1.2 --samples 5000
  iptables-save -c | chainwalk check --counters - --alpha 0.01`;

export function define(command: Command, io: Io, finish: (exitCode: number) => void): void {
  addRulesOptions(command, true)
    .option("--counters <file>", "rules with the counters of a real node, instead of --rules")
    .option(
      "--service <name>",
      "namespace/name:port; what is clear may be left away; repeat it (default: all)",
      several(String),
    )
    .option("--samples <n>", "packets, or connections, to each service", wholeWord(1, MOST_SAMPLES), 100_000)
    .option("--seed <n>", "names the random numbers", seedWord, 1)
    .option("--alpha <p>", "p-value below which the answer is no", shareWord, 0.001)
    .addOption(new Option("--draw <how>", DRAWS.join(" or ")).default("packets").argParser(choiceWord(DRAWS)))
    .addOption(
      new Option("--expect <what>", EXPECTATIONS.join(" or ")).default("rules").argParser(choiceWord(EXPECTATIONS)),
    )
    .option("--repeat <n>", "that many seeds, one after the other", wholeWord(2, 1_000_000))
    .addOption(
      new Option("--by <unit>", "connection or packet")
        .default("connection")
        .argParser(choiceWord(["connection", "packet"])),
    )
    .option(
      "--clients <n>",
      `clients the connections come from (by packet: ${DEFAULT_CLIENTS})`,
      wholeWord(1, 1_000_000),
    )
    .option("--packets-per-connection <d>", "fixed:N, geometric:MEAN or pareto:SHAPE (default: fixed:1)", sizesWord)
    .option("--src <ip:port>", "client (default: a documentation address)", endpointWord);
  addWalkOptions(addEngineOption(command, "indexed"))
    .option("--json", "print JSON")
    .addHelpText("after", HELP)
    .action(async (options: CheckOptions) => finish((await check(options, io)) ? DONE : ANSWER_NO));
}

async function check(options: CheckOptions, io: Io): Promise<boolean> {
  if (options.counters !== undefined) return checkCounters(options.counters, options, io);
  if (options.rules === undefined) throw new UsageError("either --rules or --counters is needed");
  const rules = await loadRules({ ...options, rules: options.rules }, io);
  const targets = targetsOf(rules.resolved.ruleset, options);
  const walking = await prepareWalk(rules, options, io, "fused");
  if (options.by === "packet" || options.clients !== undefined) return traffic(walking, targets, options, io);
  if (options.packetsPerConnection !== undefined)
    throw new UsageError("--packets-per-connection goes with --by packet: picks are counted by connection");
  const picks = new PickCheck(walking, targets, { ...options, draws: options.draw }, io);
  if (options.repeat !== undefined) return repeated(picks, walking, targets, options.repeat, options, io);
  return targets.length === 1
    ? checkOne(picks, walking, targets[0]!, options, io)
    : checkMany(picks, walking, targets, options, io);
}

/** What every answer says of how it came about. */
function circumstances({ engine }: Walking, { seed, alpha, draw, expect }: CheckOptions): object {
  return { engine: engine.name, seed, alpha, draw, expect };
}

/** `by indexed, seed 1`. */
function howDrawn({ engine }: Walking, { seed, draw, expect }: CheckOptions): string {
  const by = draw === "counts" ? "drawn as counts" : `by ${engine.name}`;
  return `${by}, seed ${seed}${expect === "even" ? ", against equal shares" : ""}`;
}

function addressing({ service, packet, port }: Target): { service: string; destination: string; protocol: string } {
  const destination = endpointText(packet.dst, packet.dport, packet.protocol);
  return { service, destination, protocol: port.protocolName };
}

const inJson = (value: object): string => `${JSON.stringify(value, undefined, 1)}\n`;

function checkOne(picks: PickCheck, walking: Walking, target: Target, options: CheckOptions, io: Io): boolean {
  const [judgement] = picks.run(options.seed);
  const { alpha, expect } = options;
  const { pValue, total } = judgement!.chiSquare;
  const passed = pValue >= alpha;
  const { service, destination, protocol } = addressing(target);
  if (options.json === true) {
    io.write(
      inJson({
        service,
        destination,
        protocol,
        ...circumstances(walking, options),
        passed,
        ...jsonJudgement(judgement!),
      }),
    );
    return passed;
  }
  const title = `${service}: ${destination} ${protocol}, ${formatCount(total)} picks ${howDrawn(walking, options)}`;
  const what = expect === "even" ? "equal shares" : "the probabilities of the rules";
  const verdict = passed
    ? `Nothing speaks against ${what} (p >= ${alpha}).`
    : `The picks do NOT follow ${what} (p < ${alpha}).`;
  io.write(drawCheck(title, judgement!, [...drawTests(judgement!), ...(isTested(judgement!) ? [verdict] : [])]));
  return passed;
}

function checkMany(
  picks: PickCheck,
  walking: Walking,
  targets: readonly Target[],
  options: CheckOptions,
  io: Io,
): boolean {
  const judgements = picks.run(options.seed);
  const adjusted = adjust(judgements);
  const all = judgements.map((one, i): NamedJudgement => ({
    ...one,
    service: targets[i]!.service,
    adjusted: adjusted[i]!,
  }));
  const passed = adjusted.every((p) => p >= options.alpha);
  if (options.json === true) io.write(inJson({ ...circumstances(walking, options), passed, services: jsonMany(all) }));
  else {
    const title = `${targets.length} services, ${formatCount(options.samples)} picks each ${howDrawn(walking, options)}`;
    io.write(drawMany(title, all, options.alpha));
  }
  return passed;
}

function repeated(
  picks: PickCheck,
  walking: Walking,
  targets: readonly Target[],
  repeat: number,
  options: CheckOptions,
  io: Io,
): boolean {
  const pValues: number[] = [];
  let rejections = 0;
  for (let i = 0; i < repeat; i++) {
    const own = picks.run(options.seed + i).filter(isTested);
    const found = own.map(({ chiSquare }) => chiSquare.pValue);
    if (holm(found).some((p) => p < options.alpha)) rejections++;
    pValues.push(...found);
    if (io.interactive) io.complain(`\r${i + 1} of ${repeat} seeds`);
  }
  if (io.interactive) io.complain("\r\u001b[K");
  if (pValues.length === 0)
    throw new UsageError("--repeat: only one outcome is possible, or samples are too few: there is nothing to test");
  const repetition = { repeat, rejections, uniformity: uniformityTest(pValues), pValues };
  const passed = repetition.uniformity.pValue >= options.alpha;
  const { samples } = options;
  if (options.json === true) {
    const services = targets.map((target) => target.service);
    io.write(inJson({ ...circumstances(walking, options), passed, samples, services, ...jsonRepetition(repetition) }));
  } else {
    const names = targets.length === 1 ? targets[0]!.service : `${targets.length} services`;
    const title = `${names}, ${formatCount(samples)} picks each ${howDrawn(walking, options)} to ${options.seed + repeat - 1}`;
    io.write(drawRepetition(title, repetition, options.alpha));
  }
  return passed;
}

function traffic(walking: Walking, targets: readonly Target[], options: CheckOptions, io: Io): boolean {
  const { samples: connections, clients = DEFAULT_CLIENTS, seed, alpha, repeat, draw, expect } = options;
  const [target] = targets;
  if (targets.length > 1 || repeat !== undefined || draw === "counts" || expect === "even")
    throw new UsageError(
      "--by packet and --clients take one --service, and no --repeat, --draw counts or --expect even",
    );
  if (connections > MOST_CONNECTIONS)
    throw new UsageError(
      `--samples ${connections}: at most ${MOST_CONNECTIONS} connections can be sent packet by packet`,
    );
  const sizes = options.packetsPerConnection ?? DEFAULT_SIZES;
  const found = checkTraffic(walking, target!, { connections, clients, sizes, seed }, io);
  const passed = found.picksTest.pValue >= alpha;
  const { service, destination, protocol } = addressing(target!);
  if (options.json === true) {
    const how = {
      engine: walking.engine.name,
      seed,
      alpha,
      passed,
      connections,
      clients,
      packetsPerConnection: sizes.name,
    };
    io.write(inJson({ service, destination, protocol, ...how, ...jsonTraffic(found) }));
  } else {
    const counts = `${formatCount(connections)} connections, ${formatCount(found.packets)} packets (${sizes.name})`;
    const title = `${service}: ${counts} from ${formatCount(clients)} clients by ${walking.engine.name}, seed ${seed}`;
    io.write(drawTraffic(title, found, target!.port.choice.affinitySeconds > 0, alpha));
  }
  return passed;
}

async function checkCounters(file: string, options: CheckOptions, io: Io): Promise<boolean> {
  if (options.rules !== undefined)
    throw new UsageError("--counters has its own rules: give either --rules or --counters");
  const rules = await loadRules({ ...options, rules: file }, io);
  const { judgements, mixed } = judgeCounters(rules, options.service);
  const adjusted = adjust(judgements);
  const all = judgements.map((one, i) => ({
    ...one,
    service: one.choice.local ? `${one.choice.service} (local)` : one.choice.service,
    adjusted: adjusted[i]!,
  }));
  const passed = adjusted.every((p) => p >= options.alpha);
  const picks = all.reduce((sum, one) => sum + one.chiSquare.total, 0);
  if (options.json === true)
    io.write(inJson({ file: rules.source.file, alpha: options.alpha, passed, services: jsonCounters(all), mixed }));
  else {
    const title = `${rules.source.file}: ${formatCount(picks)} picks that were made, of ${all.length} services`;
    io.write(drawCounters(title, all, mixed, options.alpha));
  }
  return passed;
}
