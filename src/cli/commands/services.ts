import type { Command } from "commander";
import { formatAddress } from "../../packet/address.js";
import { formatPrefix } from "../../packet/prefix.js";
import { formatFraction } from "../../engine/fraction.js";
import type { EndpointChoice } from "../../kube/read-endpoints.js";
import { type ReadService, type ReadServicePort, servicesOf } from "../../kube/read-services.js";
import { sharesOf } from "../draw/probability.js";
import { drawService, drawServiceList } from "../draw/services.js";
import { ANSWER_NO } from "../failure.js";
import type { Io } from "../io.js";
import { addRulesOptions, loadRules, type RulesOptions } from "../options/rules.js";
import { findServices } from "../service-name.js";

interface ServicesOptions extends RulesOptions {
  readonly json?: true;
}

const HELP = `
Without a name the list that "kubectl get services -A" prints, with endpoints; with one what "kubectl describe service"
shows of it, as far as rules tell, with the exact share of each endpoint. NAME is web, prod/web or prod/web:http.
Exit code 1: there is no such Service.

JSON (--json): [{namespace, name, type, ports: [{name, protocol, port, nodePort, clusterIPs, externalIPs, loadBalancerIPs,
sourceRanges, refused, internalTrafficPolicy, externalTrafficPolicy, affinitySeconds, chain, endpoints: [{address, port, chain,
p: "num/den"}], localEndpoints: [...] | null}]}]; a port of 0 is none, null is unknown.

Examples:
  iptables-save | chainwalk services --rules -
  chainwalk services --rules datasets/nginx-clusterip/rules.iptables-save nginx
  chainwalk services --rules rules.iptables-save.gz kube-system/kube-dns:dns --json`;

export function define(command: Command, io: Io, finish: (exitCode: number) => void): void {
  addRulesOptions(command)
    .argument("[name]", "one Service, or one port of it")
    .option("--json", "print JSON")
    .addHelpText("after", HELP)
    .action(async (name: string | undefined, options: ServicesOptions) => {
      const { resolved, source } = await loadRules(options, io);
      const all = [...servicesOf(resolved.ruleset)].sort(byName);
      const found = name === undefined ? all : findServices(all, name);
      if (name !== undefined && found.length === 0) {
        io.complain(`chainwalk: ${source.file} holds no Service "${name}"; it holds ${all.length} others\n`);
        finish(ANSWER_NO);
      }
      if (options.json === true) io.write(`${JSON.stringify(found.map(jsonService), undefined, 1)}\n`);
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

function jsonEndpoints({ endpoints }: EndpointChoice): object[] {
  const shares = sharesOf(endpoints.map((endpoint) => endpoint.threshold));
  return endpoints.map(({ address, port, chain }, i) => ({
    address: address === undefined ? null : formatAddress(address),
    port: port ?? null,
    chain,
    p: formatFraction(shares[i]!),
  }));
}
