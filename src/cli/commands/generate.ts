import { type Command, InvalidArgumentError, Option } from "commander";
import { familyOf, formatAddress, parseAddress, type Address } from "../../packet/address.js";
import { type LayoutName, LAYOUTS } from "../../kube/iptables-mode/layout.js";
import { generateIptables } from "../../kube/iptables-mode/write.js";
import { synthesizeCluster, type SyntheticOptions } from "../../kube/synthetic.js";
import { printRules } from "../../syntax/iptables/printer.js";
import { UsageError } from "../failure.js";
import type { Io } from "../io.js";
import { addressWord, choiceWord, several, shareWord, wholeWord } from "../options/values.js";

interface GenerateOptions {
  readonly services: number;
  readonly endpoints: number;
  readonly seed: string;
  readonly protocols?: SyntheticOptions["protocols"];
  readonly podCidr?: string;
  readonly serviceCidr?: string;
  readonly nodeName?: string;
  readonly nodeIp?: readonly Address[];
  readonly affinity?: number;
  readonly empty?: number;
  readonly mode: "iptables" | "nftables";
  readonly kubeProxyVersion: LayoutName;
  readonly json?: true;
}

const MOST_SERVICES = 1_000_000;
const MOST_ENDPOINTS = 100_000;

const HELP = `
A synthetic cluster of ClusterIP services, and the rules kube-proxy writes for it, as iptables-restore loads them. The same
options give the same text.

JSON (--json): the rule set, as "chainwalk print --json" prints it.

Examples:
  chainwalk generate --services 10000 --endpoints 5 --seed 1 | gzip > rules.iptables-save.gz
  chainwalk generate --services 20 --endpoints 3 --affinity 0.5 --kube-proxy-version v1.17
  chainwalk generate --services 5 --endpoints 2 --pod-cidr fd00:1::/64 --service-cidr fd00:2::/112`;

export function define(command: Command, io: Io): void {
  command
    .requiredOption("--services <n>", "services, one port each", wholeWord(0, MOST_SERVICES))
    .option("--endpoints <n>", "endpoints of each service", wholeWord(0, MOST_ENDPOINTS), 5)
    .option("--seed <seed>", "names everything that is random", "1")
    .option("--protocols <mix>", "weights (default: tcp=90,udp=9,sctp=1)", protocolMix)
    .option("--pod-cidr <cidr>", "addresses of pods; its family is the cluster's (default: 10.0.0.0/8)")
    .option("--service-cidr <cidr>", "cluster IPs (default: 172.16.0.0/12)")
    .option("--affinity <share>", "share of services with session affinity, 0 to 1 (default: 0)", shareWord)
    .option("--empty <share>", "share of services without endpoints, 0 to 1 (default: 0)", shareWord)
    .option("--node-name <name>", "the node the rules are for (default: node-0)")
    .option("--node-ip <ip>", "its address (default: 192.168.0.2 or 2001:db8::2); repeat it", several(addressWord))
    .addOption(
      new Option("--mode <mode>", "iptables").default("iptables").argParser(choiceWord(["iptables", "nftables"])),
    )
    .addOption(
      new Option("--kube-proxy-version <version>", "layout: v1.12, v1.17, v1.26, v1.27 to v1.31")
        .default("v1.30")
        .argParser(layoutOf),
    )
    .option("--json", "print JSON")
    .addHelpText("after", HELP)
    .action((options: GenerateOptions) => {
      if (options.mode === "nftables") throw new UsageError("--mode nftables: only iptables rules are written yet");
      const ruleset = generate(options);
      io.write(options.json === true ? `${JSON.stringify(ruleset, undefined, 1)}\n` : printRules(ruleset));
    });
}

function generate(options: GenerateOptions): ReturnType<typeof generateIptables> {
  const { services, endpoints, seed, protocols, affinity, empty } = options;
  const cluster = synthesizeCluster({
    services,
    endpoints,
    seed,
    ...(protocols === undefined ? {} : { protocols }),
    ...(affinity === undefined ? {} : { affinity }),
    ...(empty === undefined ? {} : { empty }),
    ...(options.podCidr === undefined ? {} : { podCIDR: options.podCidr }),
    ...(options.serviceCidr === undefined ? {} : { serviceCIDR: options.serviceCidr }),
    ...(options.nodeName === undefined ? {} : { nodeName: options.nodeName }),
    ...(options.nodeIp === undefined ? {} : { nodeIP: formatAddress(options.nodeIp[0]!) }),
  });
  const node = { ...cluster.node, ...(options.nodeIp === undefined ? {} : { addresses: options.nodeIp }) };
  const podAddress = parseAddress(cluster.configuration.clusterCIDR.split("/")[0]!)!;
  return generateIptables(
    cluster.objects,
    cluster.configuration,
    node,
    familyOf(podAddress),
    LAYOUTS[options.kubeProxyVersion],
  );
}

/** `tcp=90,udp=9,sctp=1`; a protocol that is not named has weight 0. */
function protocolMix(text: string): Record<string, number> {
  const mix: Record<string, number> = {};
  for (const part of text.toLowerCase().split(",")) {
    const [, protocol, weight] = /^(tcp|udp|sctp)=(\d+(?:\.\d+)?)$/.exec(part) ?? [];
    if (protocol === undefined || mix[protocol] !== undefined)
      throw new InvalidArgumentError("Expected weights such as tcp=90,udp=9,sctp=1.");
    mix[protocol] = Number(weight);
  }
  return mix;
}

/** The minors of kube-proxy each layout stands for. */
const layoutMinors: readonly (readonly [LayoutName, first: number, last: number])[] = [
  ["v1.12", 12, 12],
  ["v1.17", 17, 17],
  ["v1.26", 26, 26],
  ["v1.30", 27, 31],
];

/** The layout of a version `v1.MINOR` or `v1.MINOR.PATCH`; other minors are refused, naming the nearest. */
function layoutOf(text: string): LayoutName {
  const minor = Number(/^v?1\.(\d{1,3})(\.\d+)?$/i.exec(text)?.[1] ?? NaN);
  if (Number.isNaN(minor)) throw new InvalidArgumentError("Expected a version such as v1.30 or v1.30.3.");
  const distance = ([, first, last]: (typeof layoutMinors)[number]): number => Math.max(first - minor, minor - last, 0);
  const nearest = layoutMinors.reduce((best, one) => (distance(one) < distance(best) ? one : best));
  if (distance(nearest) === 0) return nearest[0];
  const known = minor < nearest[1] ? nearest[1] : nearest[2];
  throw new InvalidArgumentError(`The layout of v1.${minor} is not known; the nearest is v1.${known}.`);
}
