import type { Command } from "commander";
import { type Address, familyOf } from "../../packet/address.js";
import { PacketBatch } from "../../packet/batch.js";
import { makePacket, type Packet } from "../../packet/packet.js";
import { hasPorts } from "../../packet/protocol.js";
import { add, formatFraction, toNumber, ZERO } from "../../engine/fraction.js";
import { linearEngine } from "../../engine/linear.js";
import { OutcomeBatch, OutcomeFlag } from "../../engine/outcome-batch.js";
import type { FinalVerdict } from "../../engine/types.js";
import { type ReadService, type ReadServicePort, servicesOf } from "../../kube/read-services.js";
import { chiSquareTest, type FitTest } from "../../stats/goodness-of-fit.js";
import { type Cell, type CheckTitle, type CountedCell, drawCheck } from "../draw/check.js";
import { endpointText } from "../draw/packet.js";
import { ANSWER_NO, blaming, UsageError } from "../failure.js";
import type { Io } from "../io.js";
import { addRulesOptions, loadRules, type RulesOptions } from "../options/rules.js";
import { endpointWord, type EndpointWord, shareWord, wholeWord } from "../options/values.js";
import {
  addEngineOption,
  addWalkOptions,
  type EngineName,
  prepareWalk,
  seedWord,
  type Walking,
  type WalkOptions,
  warnOfMissingAddresses,
} from "../options/walk.js";
import { findServices, portTitle } from "../service-name.js";

interface CheckOptions extends RulesOptions, WalkOptions {
  readonly service: string;
  readonly samples: number;
  readonly seed: number;
  readonly alpha: number;
  readonly src?: EndpointWord;
  readonly engine: EngineName;
  readonly json?: true;
}

const MOST_SAMPLES = 1_000_000_000;
const BATCH = 4096;
/** Cells that expect fewer picks are pooled: the chi-square distribution does not hold for them. */
const LEAST_EXPECTED = 5;
/** Documentation addresses (RFC 5737, RFC 3849): no rule has them by chance. */
const DEFAULT_SOURCES: Readonly<Record<"ip" | "ip6", Address>> = { ip: 0xc0000201, ip6: [0x20010db8, 0, 0, 1] };
const DEFAULT_SOURCE_PORT = 40000;

const HELP = `
Sends first packets to one service, counts which endpoint each gets, and compares the counts with the exact probabilities of
the rules by Pearson's chi-square test. Cells that expect fewer than ${LEAST_EXPECTED} picks are pooled.
Exit code 1: the p-value is below alpha, so the picks do not follow the rules.

JSON (--json): {service, destination, protocol, engine, seed, samples, alpha, chiSquare, degreesOfFreedom, pValue, passed, cells:
[{to, p: "num/den", expected, observed}]}.

Examples:
  chainwalk check --rules datasets/nginx-clusterip/rules.iptables-save --service default/nginx --samples 100000 --seed 7
  chainwalk check --rules rules.iptables-save --service prod/web:http --engine linear --alpha 0.01 --json`;

export function define(command: Command, io: Io, finish: (exitCode: number) => void): void {
  addRulesOptions(command)
    .requiredOption("--service <name>", "namespace/name:port; what is clear may be left away")
    .option("--samples <n>", "packets", wholeWord(1, MOST_SAMPLES), 100_000)
    .option("--seed <n>", "names the random numbers", seedWord, 1)
    .option("--alpha <p>", "p-value below which the answer is no", shareWord, 0.001)
    .option("--src <ip:port>", "client (default: a documentation address)", endpointWord);
  addWalkOptions(addEngineOption(command, "indexed"))
    .option("--json", "print JSON")
    .addHelpText("after", HELP)
    .action(async (options: CheckOptions) => finish(await check(options, io)));
}

async function check(options: CheckOptions, io: Io): Promise<number> {
  const rules = await loadRules(options, io);
  const { service, port } = onlyPort(servicesOf(rules.resolved.ruleset), options.service);
  const packet = packetTo(port, options);
  const walking = await prepareWalk(rules, options, io, "fused");
  const { cells, given } = blaming(rules.source, () => expectedCells(walking, packet));
  warnOfMissingAddresses(given, io);
  const observed = blaming(rules.source, () => samplePicks(walking, packet, options.samples, cells, io));
  const test = chiSquareTest(
    observed,
    cells.map((cell) => toNumber(cell.probability)),
    { minimumExpected: LEAST_EXPECTED },
  );
  const counted = cells.map((cell, i) => ({ ...cell, observed: observed[i]! }));
  const title = {
    service: portTitle(service, port),
    destination: endpointText(packet.dst, packet.dport, packet.protocol),
    protocol: port.protocolName,
    engine: walking.engine.name,
    seed: options.seed,
    alpha: options.alpha,
  };
  if (options.json === true) io.write(`${JSON.stringify(jsonCheck(title, counted, test), undefined, 1)}\n`);
  else io.write(drawCheck(title, counted, test));
  return test.pValue < options.alpha ? ANSWER_NO : 0;
}

function onlyPort(services: readonly ReadService[], name: string): { service: ReadService; port: ReadServicePort } {
  const found = findServices(services, name).flatMap((service) => service.ports.map((port) => ({ service, port })));
  if (found.length === 1) return found[0]!;
  if (found.length === 0)
    throw new UsageError(`--service ${name}: the rules hold no such Service (see "chainwalk services")`);
  const titles = found.map(({ service, port }) => portTitle(service, port));
  throw new UsageError(
    `--service ${name} means several: ${titles.slice(0, 8).join(", ")}${titles.length > 8 ? ", ..." : ""}`,
  );
}

function packetTo(port: ReadServicePort, options: CheckOptions): Packet {
  const dst = port.clusterIPs[0] ?? port.loadBalancerIPs[0] ?? port.externalIPs[0];
  if (dst === undefined || port.port === 0)
    throw new UsageError(`--service ${options.service}: the rules show no address of it that packets could be sent to`);
  const family = familyOf(dst);
  const src = options.src?.address ?? DEFAULT_SOURCES[family];
  if (familyOf(src) !== family) throw new UsageError("--src is not of the service's family");
  return makePacket({
    src,
    dst,
    protocol: port.protocol,
    sport: hasPorts(port.protocol) ? (options.src?.port ?? DEFAULT_SOURCE_PORT) : 0,
    dport: port.port,
    entrance: options.hook ?? "prerouting",
    ...(options.iif === undefined ? {} : { iif: options.iif }),
    ...(options.mark === undefined ? {} : { mark: options.mark }),
  });
}

/** Where packets may go by the rules, exactly: linear's outcomes, by destination or verdict. */
function expectedCells(walking: Walking, packet: Packet): { cells: Cell[]; given: readonly string[] } {
  const { rules, context, ipsets } = walking;
  const { outcomes, given } = linearEngine(rules.resolved, { ipsets }).outcomes(packet, context);
  const cells = new Map<string, Cell>();
  for (const { outcome, probability } of outcomes) {
    const to = cellName(outcome.verdict, outcome.destination, packet.protocol);
    const known = cells.get(to);
    cells.set(to, { to, probability: known === undefined ? probability : add(known.probability, probability) });
  }
  return { cells: [...cells.values()], given };
}

function cellName(verdict: FinalVerdict, to: { address: Address; port: number } | undefined, protocol: number): string {
  if (verdict !== "accept") return verdict === "drop" ? "DROP" : "REJECT";
  return to === undefined ? "ACCEPT" : endpointText(to.address, to.port, protocol);
}

/** Counts of the cells, in their order. A pick that no cell expects is added as a cell of probability 0. */
function samplePicks(walking: Walking, packet: Packet, samples: number, cells: Cell[], io: Io): number[] {
  const { engine, context } = walking;
  const batch = new PacketBatch(packet.family, Math.min(BATCH, samples));
  for (let i = 0; i < batch.capacity; i++) batch.set(i, packet, i, context.connection);
  const out = new OutcomeBatch(packet.family, batch.capacity);
  const counts = new Map(cells.map((cell) => [cell.to, 0]));
  for (let done = 0; done < samples; done += batch.count) {
    batch.count = Math.min(batch.capacity, samples - done);
    for (let i = 0; i < batch.count; i++) batch.id[i] = done + i;
    engine.classifyBatch(batch, context, out);
    for (let i = 0; i < batch.count; i++) {
      const { verdict, flags, dst, dport } = out.get(i);
      const to = (flags & OutcomeFlag.dnat) === 0 ? undefined : { address: dst, port: dport };
      const name = cellName(verdict as FinalVerdict, to, packet.protocol);
      counts.set(name, (counts.get(name) ?? 0) + 1);
    }
    if (io.interactive && (done / BATCH) % 64 === 0)
      io.complain(`\r${Math.floor((done / samples) * 100)} % of ${samples} packets`);
  }
  if (io.interactive) io.complain("\r\u001b[K");
  for (const to of counts.keys()) if (!cells.some((cell) => cell.to === to)) cells.push({ to, probability: ZERO });
  return cells.map((cell) => counts.get(cell.to)!);
}

/** The schema of `--json`. */
function jsonCheck(title: CheckTitle, cells: readonly CountedCell[], test: FitTest): object {
  return {
    ...title,
    samples: test.total,
    chiSquare: test.statistic,
    degreesOfFreedom: test.degreesOfFreedom,
    pValue: test.pValue,
    passed: test.pValue >= title.alpha,
    cells: cells.map(({ to, probability, observed }) => ({
      to,
      p: formatFraction(probability),
      expected: toNumber(probability) * test.total,
      observed,
    })),
  };
}
