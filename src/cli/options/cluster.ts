/** Where the objects of `generate` come from, and the node and version rules are written for. */
import { type Command, InvalidArgumentError, Option } from "commander";
import type { Address, Family } from "../../packet/address.js";
import { parsePrefix } from "../../packet/prefix.js";
import { ProblemError } from "../../ruleset/problem.js";
import { DEFAULT_LAYOUT, layoutOf } from "../../kube/iptables-mode/layout.js";
import type { SyntheticOptions } from "../../kube/synthetic.js";
import { type EndpointCounts, type SyntheticType, syntheticTypes } from "../../kube/synthetic-draws.js";
import { addressWord, choiceWord, several, shareWord, wholeWord } from "./values.js";

export const MODES = ["iptables", "nftables"] as const;

/** The node, the version of kube-proxy and its configuration. */
export interface TargetOptions {
  readonly config?: string;
  readonly nodeName?: string;
  readonly nodeIp?: readonly Address[];
  readonly zone?: string;
  readonly podCidr?: readonly string[];
  readonly mode?: (typeof MODES)[number];
  /** A version whose iptables rules are known; which layout it means depends on the mode. */
  readonly kubeProxyVersion: string;
  readonly ipFamily?: Family;
  readonly nfacct?: true;
  readonly conntrackBeLiberal?: true;
}

export interface SyntheticFlags {
  readonly services?: number;
  readonly endpoints?: EndpointCounts;
  readonly seed?: string;
  readonly protocols?: SyntheticOptions["protocols"];
  readonly types?: SyntheticOptions["types"];
  readonly serviceCidr?: string;
  readonly loadBalancerCidr?: string;
  readonly affinity?: number;
  readonly empty?: number;
  readonly externalLocal?: number;
}

/** Flags that make sense for a synthetic cluster only. */
export const SYNTHETIC_FLAGS = [
  "endpoints",
  "seed",
  "protocols",
  "types",
  "serviceCidr",
  "loadBalancerCidr",
  "affinity",
  "empty",
  "externalLocal",
] as const satisfies readonly (keyof SyntheticFlags)[];

const MOST_SERVICES = 1_000_000;

export function addTargetOptions(command: Command): Command {
  return command
    .option("--config <file>", "a KubeProxyConfiguration, YAML or JSON (default: what kube-proxy does without)")
    .option("--node-name <name>", "the node the rules are for (default: hostnameOverride of the configuration; node-0)")
    .option(
      "--node-ip <ip>",
      "an address of the node besides loopback, the primary one first; repeat it",
      several(addressWord),
    )
    .option("--zone <zone>", "the node's label topology.kubernetes.io/zone")
    .option(
      "--pod-cidr <cidr>",
      "pods of the node (of the cluster, for a synthetic one: 10.0.0.0/8); repeat it",
      several(prefixWord),
    )
    .addOption(
      new Option("--mode <mode>", "iptables or nftables (default: that of the configuration, else iptables)").argParser(
        choiceWord(MODES),
      ),
    )
    .addOption(
      new Option(
        "--kube-proxy-version <version>",
        "v1.12, v1.17, v1.26, v1.27 and later; nftables from v1.29 on (default: v1.30)",
      )
        .default(DEFAULT_LAYOUT.version)
        .argParser(versionWord),
    )
    .option("--ip-family <family>", "ipv4 (default) or ipv6", familyWord)
    .option("--nfacct", "kube-proxy has its nfacct counters (v1.32 and later)")
    .option("--conntrack-be-liberal", "nf_conntrack_tcp_be_liberal is set on the node (v1.29 and later)");
}

export function addSyntheticOptions(command: Command): Command {
  return command
    .option("--services <n>", "services of a synthetic cluster, one port each", wholeWord(0, MOST_SERVICES))
    .option("--endpoints <n>", "endpoints of each: 5 (default), 2-8, or heavy-tail:5 for that mean", countsWord)
    .option("--seed <seed>", "names everything that is random (default: 1)")
    .option(
      "--protocols <mix>",
      "weights (default: tcp=90,udp=9,sctp=1)",
      mixWord(["tcp", "udp", "sctp"], "tcp=90,udp=9,sctp=1"),
    )
    .option(
      "--types <mix>",
      "weights (default: ClusterIP=1)",
      mixWord<SyntheticType>(syntheticTypes, "ClusterIP=80,NodePort=10,LoadBalancer=5,Headless=5"),
    )
    .option("--service-cidr <cidr>", "cluster IPs (default: 172.16.0.0/12)")
    .option("--load-balancer-cidr <cidr>", "load balancers (default: 198.18.0.0/15)")
    .option("--affinity <share>", "share of services with session affinity, 0 to 1 (default: 0)", shareWord)
    .option("--empty <share>", "share of services without endpoints, 0 to 1 (default: 0)", shareWord)
    .option(
      "--external-local <share>",
      "share with externalTrafficPolicy Local, of those reached from outside (default: 0)",
      shareWord,
    );
}

function versionWord(text: string): string {
  try {
    layoutOf(text);
    return text;
  } catch (failure) {
    if (!(failure instanceof ProblemError)) throw failure;
    throw new InvalidArgumentError(`${failure.message[0]!.toUpperCase()}${failure.message.slice(1)}.`);
  }
}

function familyWord(text: string): Family {
  return choiceWord(["ipv4", "ipv6"])(text) === "ipv6" ? "ip6" : "ip";
}

function prefixWord(text: string): string {
  if (!text.includes("/") || parsePrefix(text) === undefined)
    throw new InvalidArgumentError("Expected address/length, such as 10.244.1.0/24.");
  return text;
}

function countsWord(text: string): EndpointCounts {
  const [, least, most] = /^(\d{1,6})(?:-(\d{1,6}))?$/.exec(text) ?? [];
  if (least !== undefined && most === undefined) return Number(least);
  if (least !== undefined && Number(most) >= Number(least))
    return { kind: "uniform", least: Number(least), most: Number(most) };
  const [, mean] = /^heavy-tail:(\d{1,5}(?:\.\d+)?)$/i.exec(text) ?? [];
  if (mean === undefined || Number(mean) === 0)
    throw new InvalidArgumentError("Expected a number such as 5, a range such as 2-8, or heavy-tail:5.");
  return { kind: "heavy-tail", mean: Number(mean) };
}

/** `tcp=90,udp=9,sctp=1`; what is not named has weight 0. Letters' case does not count. */
function mixWord<T extends string>(words: readonly T[], example: string): (text: string) => Partial<Record<T, number>> {
  return (text) => {
    const mix: Partial<Record<T, number>> = {};
    for (const part of text.split(",")) {
      const [, name = "", weight] = /^([a-z]+)=(\d+(?:\.\d+)?)$/i.exec(part) ?? [];
      const word = words.find((one) => one.toLowerCase() === name.toLowerCase());
      if (word === undefined || mix[word] !== undefined)
        throw new InvalidArgumentError(`Expected weights such as ${example}.`);
      mix[word] = Number(weight);
    }
    return mix;
  };
}
