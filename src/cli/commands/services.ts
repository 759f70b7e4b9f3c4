import { type Command, Option } from "commander";
import { type Address, formatAddress } from "../../packet/address.js";
import { formatPrefix } from "../../packet/prefix.js";
import { formatFraction } from "../../engine/fraction.js";
import { printObjects } from "../../kube/manifest/print-objects.js";
import { readNodeRemark } from "../../kube/node-remark.js";
import { objectsOfServices } from "../../kube/objects-of-services.js";
import type { EndpointChoice } from "../../kube/read-endpoints.js";
import { type ReadService, type ReadServicePort, servicesOf } from "../../kube/read-services.js";
import { sharesOfChoice } from "../draw/probability.js";
import { drawService, drawServiceList } from "../draw/services.js";
import { ANSWER_NO, describeProblems, UsageError } from "../failure.js";
import type { Io } from "../io.js";
import { addRulesOptions, loadRules, type RulesOptions } from "../options/rules.js";
import { addressWord, choiceWord, several } from "../options/values.js";
import { findServices } from "../service-name.js";

interface ServicesOptions extends RulesOptions {
  readonly output?: (typeof OUTPUTS)[number];
  readonly nodeName?: string;
  readonly nodeIp?: readonly Address[];
  readonly zone?: string;
  readonly json?: true;
}

const OUTPUTS = ["table", "objects", "json", "yaml"] as const;

const HELP = `
Without a name the list that "kubectl get services -A" prints, with endpoints; with one what "kubectl describe service"
shows of it, as far as rules tell, with the exact share of each endpoint. NAME is web, prod/web or prod/web:http.
Exit code 1: there is no such Service.

-o objects (or -o json), -o yaml: a List of Services and EndpointSlices from which kube-proxy would write these rules, for
"chainwalk generate --objects". Rules do not say which node they are for: --node-name, --node-ip and --zone do, where
generate has not left a comment that does.

JSON (--json): [{namespace, name, type, ports: [{name, protocol, port, nodePort, healthCheckNodePort, clusterIPs, externalIPs, loadBalancerIPs,
sourceRanges, refused, internalTrafficPolicy, externalTrafficPolicy, affinitySeconds, chain, endpoints: [{address, port, chain,
p: "num/den"}], localEndpoints: [...] | null}]}]; a port of 0 is none, null is unknown.

Examples:
  iptables-save | chainwalk services --rules -
  chainwalk services --rules datasets/nginx-clusterip/rules.iptables-save nginx
  chainwalk services --rules rules.iptables-save.gz -o yaml --node-name node-7 > cluster.yaml
  chainwalk services --rules rules.iptables-save.gz kube-system/kube-dns:dns --json`;

export function define(command: Command, io: Io, finish: (exitCode: number) => void): void {
  addRulesOptions(command)
    .argument("[name]", "one Service, or one port of it")
    .addOption(
      new Option("-o, --output <form>", `form: ${OUTPUTS.join(", ")}`).default("table").argParser(choiceWord(OUTPUTS)),
    )
    .option("--node-name <name>", "the node the rules were written for, for -o objects (default: node-0)")
    .option("--node-ip <ip>", "its addresses, the primary one first", several(addressWord))
    .option("--zone <zone>", "its label topology.kubernetes.io/zone")
    .option("--json", "print JSON")
    .addHelpText("after", HELP)
    .action(async (name: string | undefined, options: ServicesOptions) => {
      const { resolved, source } = await loadRules(options, io);
      const remark = readNodeRemark(resolved.ruleset);
      const all = [...servicesOf(resolved.ruleset, options.nodeIp ?? remark?.addresses)].sort(byName);
      const found = name === undefined ? all : findServices(all, name);
      if (name !== undefined && found.length === 0) {
        io.complain(`chainwalk: ${source.file} holds no Service "${name}"; it holds ${all.length} others\n`);
        finish(ANSWER_NO);
      }
      if (options.output !== undefined && options.output !== "table") {
        if (options.json === true) throw new UsageError("--json and -o are two forms: choose one");
        const nodeName = options.nodeName ?? remark?.node ?? "node-0";
        const zone = options.zone ?? remark?.zone;
        const { objects, problems } = objectsOfServices(found, resolved.ruleset, { nodeName, zone });
        if (problems.length > 0) io.complain(describeProblems(problems, { file: source.file }));
        io.write(printObjects(objects, options.output === "yaml" ? "yaml" : "json"));
      } else if (options.json === true) io.write(`${JSON.stringify(found.map(jsonService), undefined, 1)}\n`);
      else if (name === undefined) io.write(all.length === 0 ? "No Services found.\n" : drawServiceList(all));
      else io.write(found.map(drawService).join("\n\n"));
    });
}

/** kubectl's order. */
function byName(a: ReadService, b: ReadService): number {
  const [one, other] = [`${a.namespace}/${a.name}`, `${b.namespace}/${b.name}`];
  return one < other ? -1 : one > other ? 1 : 0;
}

/** The schema of `--json`. */
function jsonService({ namespace, name, type, ports }: ReadService): object {
  return { namespace, name, type, ports: ports.map(jsonPort) };
}

function jsonPort(port: ReadServicePort): object {
  return {
    name: port.name,
    protocol: port.protocolName,
    port: port.port,
    nodePort: port.nodePort,
    healthCheckNodePort: port.healthCheckNodePort,
    clusterIPs: port.clusterIPs.map(formatAddress),
    externalIPs: port.externalIPs.map(formatAddress),
    loadBalancerIPs: port.loadBalancerIPs.map(formatAddress),
    sourceRanges: port.sourceRanges.map(formatPrefix),
    refused: port.refused ?? null,
    internalTrafficPolicy: port.internalTrafficPolicy,
    externalTrafficPolicy: port.externalTrafficPolicy ?? null,
    affinitySeconds: port.choice.affinitySeconds,
    chain: port.chain ?? null,
    endpoints: jsonEndpoints(port.choice),
    localEndpoints: port.localChoice === undefined ? null : jsonEndpoints(port.localChoice),
  };
}

function jsonEndpoints(choice: EndpointChoice): object[] {
  const shares = sharesOfChoice(choice);
  return choice.endpoints.map(({ address, port, chain }, i) => ({
    address: address === undefined ? null : formatAddress(address),
    port: port ?? null,
    chain,
    p: formatFraction(shares[i]!),
  }));
}
