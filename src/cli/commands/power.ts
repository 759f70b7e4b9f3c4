import { type Command, Option } from "commander";
import { largestBias, shares } from "../../kube/choice-precision.js";
import { MOST_PICKED, numgenShare, type PickMechanism, pickMechanisms, pickShares } from "../../kube/pick-shares.js";
import type { ReadEndpoint } from "../../kube/read-endpoints.js";
import { type ReadServicePort, servicesOf } from "../../kube/read-services.js";
import { formatEndpoint } from "../../packet/address.js";
import type { RuleSet } from "../../ruleset/types.js";
import { effectSize, observationsNeeded, powerOf } from "../../stats/power.js";
import { type BiasPower, drawPower } from "../draw/power.js";
import { UsageError } from "../failure.js";
import type { Io } from "../io.js";
import { addRulesOptions, loadRules, type RulesOptions } from "../options/rules.js";
import { choiceWord, several, shareWord, wholeWord } from "../options/values.js";
import { findServices, portTitle } from "../service-name.js";

interface PowerOptions extends Omit<RulesOptions, "rules"> {
  readonly rules?: string;
  readonly service?: readonly string[];
  readonly endpoints?: number;
  readonly mechanism?: PickMechanism;
  readonly bias?: number;
  readonly connections?: number;
  readonly alpha: number;
  readonly power: number;
  readonly json?: true;
}

const HELP = `
How many connections a chi-square test of even shares needs to see a bias (noncentral chi-square distribution): the bias of a rule set
(--rules), of a way of picking (--endpoints N --mechanism M), or of a given size (--endpoints N --bias B: one endpoint gets 1 + B times
its part, the others share the rest). With --connections also how often that many find it, and the smallest bias they find.
Mechanisms: statistic-10 (kube-proxy since v1.17), statistic-5 (v1.16 and older), numgen (nftables), modulo (u32 % n, as in eBPF).

JSON (--json): {alpha, power, connections, choices: [{name, endpoints, largestDeviation, effect, needed, found, smallestBias}]}: effect is
w^2, the sum of (p - 1/n)^2 / (1/n); needed is null where there is no bias to see; found (the power of the given connections) and
smallestBias (of one endpoint, as a share of its part) are null without --connections. Deviations are relative: 0.005 is 0.5 %.

Examples:
  chainwalk power --endpoints 1000 --mechanism statistic-5
  chainwalk power --endpoints 5 --bias 0.01 --connections 1000000
  chainwalk power --rules rules.iptables-save --alpha 0.01 --power 0.9`;

export function define(command: Command, io: Io): void {
  addRulesOptions(command, true)
    .option("--service <name>", "of the rules: namespace/name:port; repeat it (default: all)", several(String))
    .option("--endpoints <n>", "endpoints, without rules", wholeWord(2, MOST_PICKED))
    .addOption(new Option("--mechanism <name>", pickMechanisms.join(", ")).argParser(choiceWord(pickMechanisms)))
    .option("--bias <share>", "of one endpoint, as a share of its part: 0.01 is 1 %", shareWord)
    .option("--connections <n>", "how often do that many find it", wholeWord(1, Number.MAX_SAFE_INTEGER))
    .option("--alpha <p>", "level of the test", shareWord, 0.05)
    .option("--power <p>", "how often it shall find the bias", shareWord, 0.8)
    .option("--json", "print JSON")
    .addHelpText("after", HELP)
    .action(async (options: PowerOptions) => {
      const { alpha, power, connections } = options;
      if (!(alpha > 0 && power < 1 && power > alpha))
        throw new UsageError("--alpha and --power must be between 0 and 1, and --power the larger one");
      const named = options.rules === undefined ? ofMechanism(options) : await ofRules(options.rules, options, io);
      const perEffect = neededPerEffect(options);
      const choices = named.map(({ name, parts }) => judgeBias(name, parts, perEffect, options));
      const question = { alpha, power, connections };
      if (options.json === true) io.write(`${JSON.stringify(jsonPower(question, choices), undefined, 1)}\n`);
      else io.write(drawPower(question, choices));
    });
}

interface NamedShares {
  readonly name: string;
  readonly parts: readonly number[];
}

function ofMechanism({ endpoints, mechanism, bias, service }: PowerOptions): NamedShares[] {
  if (service !== undefined) throw new UsageError("--service names a service of --rules");
  if (endpoints === undefined) throw new UsageError("either --rules or --endpoints is needed");
  if ((mechanism === undefined) === (bias === undefined))
    throw new UsageError("--endpoints goes with one of --mechanism and --bias");
  if (mechanism !== undefined) return [{ name: mechanism, parts: pickShares(mechanism, endpoints) }];
  const parts = Array.from({ length: endpoints }, () => (1 - (1 + bias!) / endpoints) / (endpoints - 1));
  parts[0] = (1 + bias!) / endpoints;
  return [{ name: `one endpoint ${Number((bias! * 100).toPrecision(6))} % above its part`, parts }];
}

async function ofRules(rules: string, options: PowerOptions, io: Io): Promise<NamedShares[]> {
  if (options.endpoints !== undefined || options.mechanism !== undefined || options.bias !== undefined)
    throw new UsageError("--rules has endpoints and a bias of its own: leave --endpoints, --mechanism and --bias away");
  const { resolved } = await loadRules({ ...options, rules }, io);
  const found = choicesOf(resolved.ruleset, options.service);
  if (found.length === 0) throw new UsageError("the rules hold no such service with two endpoints or more");
  return found;
}

/** The shares of the endpoints of each choice: an endpoint listed twice is one, and what no rule takes is left out. */
function choicesOf(ruleset: RuleSet, names: readonly string[] | undefined): NamedShares[] {
  const services = servicesOf(ruleset);
  const wanted = names === undefined ? services : names.flatMap((name) => findServices(services, name));
  return wanted.flatMap((service) =>
    service.ports.flatMap((port) =>
      partsOf(port).map(({ local, parts }) => ({
        name: `${portTitle(service, port)}${local ? " (local)" : ""}`,
        parts,
      })),
    ),
  );
}

function partsOf(port: ReadServicePort): { local: boolean; parts: number[] }[] {
  const own = port.choice.endpoints;
  const local = port.localChoice?.endpoints ?? [];
  const same = local.length === own.length && local[0] !== undefined && placeOf(local[0]) === placeOf(own[0]!);
  const both = [
    { local: false, choice: port.choice, endpoints: own },
    { local: true, choice: port.localChoice, endpoints: same ? [] : local },
  ];
  return both
    .filter(({ endpoints }) => endpoints.length > 1)
    .map(({ local: isLocal, choice, endpoints }) => {
      const mod = choice?.mod;
      const taken = new Map<string, number>();
      const drawn =
        mod === undefined
          ? shares(endpoints.map(({ threshold }) => threshold))
          : endpoints.map(({ numbers = [0, -1] }) => numgenShare(numbers, mod));
      drawn.forEach((share, i) => {
        const place = placeOf(endpoints[i]!);
        taken.set(place, (taken.get(place) ?? 0) + share);
      });
      const parts = [...taken.values()];
      const all = parts.reduce((sum, part) => sum + part, 0);
      return { local: isLocal, parts: parts.map((part) => part / all) };
    });
}

/** Endpoints have a chain each, or share that of the draw (nftables mode, v1.36). */
function placeOf({ chain, address, port }: ReadEndpoint): string {
  return `${chain} ${address === undefined || port === undefined ? "" : formatEndpoint(address, port)}`;
}

/** Connections needed for an effect of 1, by the number of endpoints; found once for each number. */
function neededPerEffect({ alpha, power }: PowerOptions): (endpoints: number) => number {
  const known = new Map<number, number>();
  return (endpoints) => {
    let needed = known.get(endpoints);
    if (needed === undefined) known.set(endpoints, (needed = observationsNeeded(1, endpoints, { alpha, power })));
    return needed;
  };
}

function judgeBias(
  name: string,
  parts: readonly number[],
  perEffect: (endpoints: number) => number,
  { alpha, connections }: PowerOptions,
): BiasPower {
  const n = parts.length;
  const even = parts.map(() => 1 / n);
  // Below a double's own rounding there is no bias.
  const bias = largestBias(parts);
  const effect = bias < n * Number.EPSILON ? 0 : effectSize(parts, even);
  return {
    name,
    endpoints: n,
    largestDeviation: bias,
    effect,
    needed: perEffect(n) / effect,
    found: connections === undefined ? undefined : powerOf(effect, n, connections, alpha),
    // One endpoint at 1 + B, the others even: w^2 = B^2 / (n - 1).
    smallestBias: connections === undefined ? undefined : Math.sqrt((perEffect(n) / connections) * (n - 1)),
  };
}

/** The schema of `--json`. */
function jsonPower(
  { alpha, power, connections }: { alpha: number; power: number; connections: number | undefined },
  choices: readonly BiasPower[],
): object {
  return {
    alpha,
    power,
    connections: connections ?? null,
    choices: choices.map((one) => ({
      ...one,
      needed: Number.isFinite(one.needed) ? one.needed : null,
      found: one.found ?? null,
      smallestBias: one.smallestBias ?? null,
    })),
  };
}
