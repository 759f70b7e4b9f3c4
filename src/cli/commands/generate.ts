import { type Command, Option } from "commander";
import { type Family, familyOf, formatAddress } from "../../packet/address.js";
import { parsePrefix } from "../../packet/prefix.js";
import { type Problem, ProblemError } from "../../ruleset/problem.js";
import {
  DEFAULT_CONFIGURATION,
  type NodeFacts,
  type ProxyConfiguration,
  settingsOf,
} from "../../kube/configuration.js";
import { layoutOf } from "../../kube/iptables-mode/layout.js";
import { planSync, type Sync } from "../../kube/iptables-mode/sync.js";
import { writeIptables } from "../../kube/iptables-mode/write.js";
import { printObjects } from "../../kube/manifest/print-objects.js";
import { missingNodeFacts, type ReadConfiguration, readConfiguration } from "../../kube/manifest/read-configuration.js";
import { readObjects } from "../../kube/manifest/read-objects.js";
import { nftablesDoubts, nftablesLayoutOf } from "../../kube/nftables-mode/layout.js";
import { nftablesSettingsOf, serviceCIDRsOf, writeNftables } from "../../kube/nftables-mode/write.js";
import { remarkNode } from "../../kube/node-remark.js";
import type { ObjectProblem } from "../../kube/object-problem.js";
import type { KubernetesObject } from "../../kube/objects.js";
import { type ServiceOptions, type ServicePort, servicePortsOf } from "../../kube/services.js";
import { type Cluster, synthesizeCluster } from "../../kube/synthetic.js";
import type { MaskedAddress } from "../../packet/prefix.js";
import type { RuleSet } from "../../ruleset/types.js";
import { describeProblems, InputError, UsageError } from "../failure.js";
import type { Io } from "../io.js";
import {
  addSyntheticOptions,
  addTargetOptions,
  SYNTHETIC_FLAGS,
  type SyntheticFlags,
  type TargetOptions,
} from "../options/cluster.js";
import { choiceWord } from "../options/values.js";
import { readInput } from "../read-input.js";
import { printInPieces } from "../../syntax/iptables/printer.js";
import { printNftInPieces } from "../../syntax/nft/printer.js";

interface GenerateOptions extends TargetOptions, SyntheticFlags {
  readonly objects?: string;
  readonly since?: string;
  readonly emit: "rules" | "objects";
  readonly json?: true;
}

const HELP = `
The rule set kube-proxy writes on one node, as iptables-restore or nft -f loads it: for Services and EndpointSlices as
"kubectl get services,endpointslices -A -o yaml" prints them (JSON or YAML, gzipped or not), or for a synthetic cluster. The same
input gives the same text. Its first line is a comment that names the node. With --since, what kube-proxy sends to
"iptables-restore --noflush" when the first objects become the second, and on standard error its size.

JSON (--json): the rule set, as "chainwalk print --json" prints it; with --since {kind, changed, lines, bytes, text}.

Examples:
  kubectl get services,endpointslices -A -o json | chainwalk generate --objects - --config kube-proxy.yaml --node-name node-7 --node-ip 10.0.0.7
  chainwalk generate --objects cluster.yaml --node-name node-7 --kube-proxy-version v1.34 --ip-family ipv6
  chainwalk generate --since before.yaml --objects after.yaml --node-name node-7 > partial-sync
  chainwalk generate --services 10000 --endpoints 5 --seed 1 | gzip > rules.iptables-save.gz
  chainwalk generate --services 500 --endpoints heavy-tail:8 --types ClusterIP=8,NodePort=1,LoadBalancer=1 --emit objects > cluster.json
  chainwalk generate --services 100 --endpoints 3 --mode nftables --kube-proxy-version v1.35 > rules.nft
  chainwalk generate --services 20 --endpoints 3 --affinity 0.5 --kube-proxy-version v1.17`;

export function define(command: Command, io: Io): void {
  command.option("--objects <file>", "Services and EndpointSlices, JSON or YAML");
  command.option("--since <file>", "the objects as they were: print the partial sync to those of --objects");
  addSyntheticOptions(addTargetOptions(command))
    .addOption(
      new Option("--emit <what>", "rules, or the objects they are written from, as JSON")
        .default("rules")
        .argParser(choiceWord(["rules", "objects"])),
    )
    .option("--json", "print JSON")
    .addHelpText("after", HELP)
    .action(async (options: GenerateOptions) => {
      checkUse(options);
      const read = options.config === undefined ? undefined : await loadConfiguration(options.config, options, io);
      const mode = modeOf(options, read);
      const cluster = options.objects === undefined ? synthesize(options) : undefined;
      const target = targetOf(options, read, cluster);
      const load = async (file: string | undefined): Promise<Objects> =>
        file === undefined ? cluster!.objects : loadObjects(file, io);
      if (options.emit === "objects") return io.write(printObjects(objectsIn(await load(options.objects))));
      warnOfMissingFacts(target, mode, options, io);
      const version = options.kubeProxyVersion;
      const services = refusing(() => (mode === "nftables" ? nftablesLayoutOf(version) : layoutOf(version)).services);
      // The objects are let go before rules are written: a large cluster fills the memory once, not twice.
      const after = inputOf(await load(options.objects), target, services, io);
      if (options.since !== undefined) {
        const before = inputOf(await load(options.since), target, services, io);
        const settings = settingsOf(target.configuration, target.node, target.family);
        return writeSync(planSync(before.ports, after.ports, settings, layoutOf(version)), options, io);
      }
      const ruleset = remarkNode(
        mode === "nftables" ? nftables(after, target, version, io) : iptables(after, target, version),
        target.node,
      );
      if (options.json === true) io.write(`${JSON.stringify(ruleset, undefined, 1)}\n`);
      else
        for (const piece of mode === "nftables" ? printNftInPieces(ruleset) : printInPieces(ruleset)) io.write(piece);
    });
}

/** Objects of a file, with the way back to its lines. */
type Loaded = Awaited<ReturnType<typeof loadObjects>>;
type Objects = readonly KubernetesObject[] | Loaded;

interface Target {
  readonly node: NodeFacts;
  readonly configuration: ProxyConfiguration;
  readonly family: Family;
}

function checkUse(options: GenerateOptions): void {
  if (options.objects === undefined && options.services === undefined)
    throw new UsageError("required option '--services <n>' or '--objects <file>' not specified");
  if (options.since !== undefined && (options.objects === undefined || options.emit === "objects"))
    throw new UsageError("--since needs --objects: it prints what leads from the first to the second");
  if (options.objects === undefined) return;
  const stray = (["services", ...SYNTHETIC_FLAGS] as const).find((flag) => options[flag] !== undefined);
  if (stray !== undefined)
    throw new UsageError(
      `--${stray.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`)} is for a synthetic cluster and does not go with --objects`,
    );
}

async function loadConfiguration(path: string, options: GenerateOptions, io: Io): Promise<ReadConfiguration> {
  const input = await readInput(path, io);
  const read = readConfiguration(input.bytes, options.mode);
  settle(read.problems, { file: input.name, ...(read.text === undefined ? {} : { text: read.text }) }, io);
  return read;
}

type Mode = "iptables" | "nftables";

function modeOf(options: GenerateOptions, read: ReadConfiguration | undefined): Mode {
  const mode = options.mode ?? read?.mode ?? "iptables";
  if (mode === "ipvs")
    throw new UsageError(
      "the configuration's mode is ipvs, which is not written; --mode iptables or nftables asks for the rules of that mode",
    );
  if (mode === "nftables" && options.since !== undefined)
    throw new UsageError("--since prints what kube-proxy sends to iptables-restore: it is for --mode iptables");
  return mode;
}

/** Runs what depends on options alone: a problem is bad use. */
function refusing<T>(work: () => T): T {
  try {
    return work();
  } catch (failure) {
    throw failure instanceof ProblemError ? new UsageError(failure.message) : failure;
  }
}

function iptables({ ports }: Input, { configuration, node, family }: Target, version: string): RuleSet {
  return writeIptables(ports, settingsOf(configuration, node, family), layoutOf(version));
}

function nftables({ ports, serviceCIDRs }: Input, target: Target, version: string, io: Io): RuleSet {
  const layout = nftablesLayoutOf(version);
  const settings = nftablesSettingsOf(target.configuration, target.node, target.family);
  const { ruleset, problems } = refusing(() => writeNftables(ports, settings, serviceCIDRs, layout));
  for (const { message } of [...nftablesDoubts(layout), ...problems]) io.complain(`chainwalk: warning: ${message}\n`);
  return ruleset;
}

const IPV6_RANGES = { podCIDR: "fd00:10:244::/64", serviceCIDR: "fd00:10:96::/108" };

function synthesize(options: GenerateOptions): Cluster {
  const { services, endpoints, seed, protocols, types, affinity, empty, externalLocal } = options;
  if ((options.podCidr ?? []).length > 1) throw new UsageError("--pod-cidr: a synthetic cluster has one");
  const [podCIDR] = options.podCidr ?? [];
  const ranges = options.ipFamily === "ip6" ? IPV6_RANGES : {};
  return synthesizeCluster({
    services: services!,
    endpoints: endpoints ?? DEFAULT_ENDPOINTS,
    seed: seed ?? "1",
    ...ranges,
    ...defined({ protocols, types, affinity, empty, externalLocal, podCIDR }),
    ...defined({
      serviceCIDR: options.serviceCidr,
      loadBalancerCIDR: options.loadBalancerCidr,
      nodeName: options.nodeName,
    }),
    ...(options.nodeIp === undefined ? {} : { nodeIP: formatAddress(options.nodeIp[0]!) }),
  });
}

const DEFAULT_ENDPOINTS = 5;

/** The members that have a value. */
function defined<T extends object>(fields: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as never;
}

function targetOf(options: GenerateOptions, read: ReadConfiguration | undefined, cluster: Cluster | undefined): Target {
  const name = options.nodeName ?? read?.nodeName ?? cluster?.node.name;
  if (name === undefined)
    throw new UsageError("required option '--node-name <name>' not specified: endpoints of the node are told by it");
  const configuration = read?.configuration ?? cluster?.configuration ?? DEFAULT_CONFIGURATION;
  const podRange = parsePrefix(cluster?.configuration.clusterCIDR ?? "");
  const node: NodeFacts = {
    name,
    addresses: options.nodeIp ?? cluster?.node.addresses ?? [],
    ...defined({ zone: options.zone, podCIDRs: options.podCidr, nfacct: options.nfacct }),
    ...(options.conntrackBeLiberal === true || read?.conntrackBeLiberal === true ? { conntrackBeLiberal: true } : {}),
  };
  const own = podRange === undefined ? "ip" : familyOf(podRange.value);
  if (cluster !== undefined && options.ipFamily !== undefined && options.ipFamily !== own)
    throw new UsageError("--ip-family and --pod-cidr are of different families");
  return { node, configuration, family: options.ipFamily ?? own };
}

async function loadObjects(path: string, io: Io): Promise<{ read: ReturnType<typeof readObjects>; file: string }> {
  const input = await readInput(path, io);
  const read = readObjects(input.bytes);
  settle(read.problems, { file: input.name, ...(read.text === undefined ? {} : { text: read.text }) }, io);
  return { read, file: input.name };
}

function objectsIn(objects: Objects): readonly KubernetesObject[] {
  return "read" in objects ? objects.read.objects : objects;
}

/** What rules are written from. */
interface Input {
  readonly ports: readonly ServicePort[];
  readonly serviceCIDRs: readonly MaskedAddress[];
}

function inputOf(objects: Objects, { node, family }: Target, services: ServiceOptions, io: Io): Input {
  if (!("read" in objects))
    return {
      ports: servicePortsOf(objects, family, node.name, services),
      serviceCIDRs: serviceCIDRsOf(objects, family),
    };
  const { read, file } = objects;
  const problems: Problem[] = [];
  const report = (found: ObjectProblem): number => problems.push(read.place(found));
  const ports = servicePortsOf(read.objects, family, node.name, services, report);
  const serviceCIDRs = serviceCIDRsOf(read.objects, family, report);
  settle(problems, { file, ...(read.text === undefined ? {} : { text: read.text }) }, io);
  return { ports, serviceCIDRs };
}

/** Throws where a problem is an error; warnings go to standard error. */
function settle(problems: readonly Problem[], source: { file: string; text?: string }, io: Io): void {
  if (problems.some((problem) => problem.severity === "error")) throw new InputError(source, problems);
  if (problems.length > 0) io.complain(describeProblems(problems, source));
}

function warnOfMissingFacts(
  { configuration, node, family }: Target,
  mode: Mode,
  options: GenerateOptions,
  io: Io,
): void {
  const warn = (message: string): void => io.complain(`chainwalk: warning: ${message}\n`);
  for (const { message } of missingNodeFacts(configuration, node.podCIDRs)) warn(message);
  const known = node.addresses.some((address) => familyOf(address) === family);
  if (configuration.nodePortAddresses.length > 0 && !known)
    warn("the configuration names nodePortAddresses, and no --node-ip of the family was given: no node port is served");
  if (mode === "nftables") {
    if (configuration.nodePortAddresses.length === 0 && !known)
      warn(
        "node ports are served on the node's primary address, and no --node-ip of the family was given: every local address is taken",
      );
    if (options.nfacct === true) warn("--nfacct: kube-proxy does not count with nfacct in nftables mode");
    if (options.conntrackBeLiberal === true) warn("--conntrack-be-liberal: INVALID packets pass in nftables mode");
    return;
  }
  const layout = layoutOf(options.kubeProxyVersion);
  if (options.nfacct === true && !layout.countsInvalid)
    warn("--nfacct: kube-proxy counts with nfacct since v1.32 only");
  if (options.conntrackBeLiberal === true && !layout.beLiberal)
    warn("--conntrack-be-liberal: kube-proxy looks at it since v1.29 only");
}

function writeSync(sync: Sync, options: GenerateOptions, io: Io): void {
  const { kind, changed, lines, bytes, text } = sync;
  if (options.json === true)
    return io.write(`${JSON.stringify({ kind, changed, lines, bytes, text }, undefined, 1)}\n`);
  io.write(text);
  io.complain(`${kind} sync: ${changed.length} services changed, ${lines} lines, ${bytes} bytes\n`);
}
