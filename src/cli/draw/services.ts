/** Services as kubectl shows them, as far as rules tell. */
import { type Address, familyOf, formatAddress, formatEndpoint } from "../../packet/address.js";
import { formatPrefix } from "../../packet/prefix.js";
import { toNumber } from "../../engine/fraction.js";
import type { EndpointChoice, ReadEndpoint } from "../../kube/read-endpoints.js";
import type { ReadService, ReadServicePort } from "../../kube/read-services.js";
import { fractionText, percentText, sharesOfChoice } from "./probability.js";

const NONE = "<none>";
/** Endpoints `kubectl get endpoints` shows of each before it counts. */
const MOST_ENDPOINTS = 3;

/** As `kubectl get services -A` prints them, with the endpoints instead of the age. */
export function drawServiceList(services: readonly ReadService[]): string {
  const rows = services.map((service) => [
    service.namespace,
    service.name,
    service.type,
    addressList(service.ports.flatMap((port) => port.clusterIPs)),
    addressList(service.ports.flatMap((port) => [...port.loadBalancerIPs, ...port.externalIPs])),
    service.ports.map(portText).join(","),
    endpointSummary(service.ports.flatMap((port) => endpointsOf(port))),
  ]);
  return columns([["NAMESPACE", "NAME", "TYPE", "CLUSTER-IP", "EXTERNAL-IP", "PORT(S)", "ENDPOINTS"], ...rows]);
}

/** kubectl's columns: three blanks between, nothing drawn. */
function columns(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, i) => rows.reduce((most, row) => Math.max(most, row[i]!.length), 0));
  return rows
    .map(
      (row) =>
        `${row
          .map((cell, i) => cell.padEnd(widths[i]! + 3))
          .join("")
          .trimEnd()}\n`,
    )
    .join("");
}

function addressList(addresses: readonly Address[]): string {
  const texts = new Set(addresses.map(formatAddress));
  return texts.size === 0 ? NONE : [...texts].join(",");
}

/** `80/TCP`, `80:30080/TCP`. */
function portText({ port, nodePort, protocolName }: ReadServicePort): string {
  const own = port === 0 ? "<unknown>" : port;
  return `${own}${nodePort === 0 ? "" : `:${nodePort}`}/${protocolName.toUpperCase()}`;
}

function endpointSummary(endpoints: readonly ReadEndpoint[]): string {
  if (endpoints.length === 0) return NONE;
  const shown = endpoints.slice(0, MOST_ENDPOINTS).map(endpointText).join(",");
  const left = endpoints.length - MOST_ENDPOINTS;
  return left > 0 ? `${shown} + ${left} more...` : shown;
}

/** An endpoint whose chain is not shown goes by the name of its chain. */
export function endpointText({ address, port, chain }: ReadEndpoint): string {
  if (address === undefined) return chain;
  return port === undefined ? formatAddress(address) : formatEndpoint(address, port);
}

/** The endpoints all traffic may use, else those of this node. */
function endpointsOf(port: ReadServicePort): readonly ReadEndpoint[] {
  return port.choice.endpoints.length > 0 ? port.choice.endpoints : (port.localChoice?.endpoints ?? []);
}

/** As `kubectl describe service` prints one; under Endpoints the exact share of each. Labels, selector and events leave no rules. */
export function drawService(service: ReadService): string {
  const { ports } = service;
  const clusterIPs = unique(ports.flatMap((port) => port.clusterIPs));
  const rows: [string, string][] = [
    ["Name", service.name],
    ["Namespace", service.namespace === "" ? "<unknown>" : service.namespace],
    ["Type", service.type],
    [
      "IP Families",
      unique(clusterIPs.map(familyOf))
        .map((family) => (family === "ip" ? "IPv4" : "IPv6"))
        .join(",") || NONE,
    ],
    ["IP", clusterIPs.length === 0 ? NONE : formatAddress(clusterIPs[0]!)],
    ["IPs", addressList(clusterIPs)],
  ];
  const external = ports.flatMap((port) => port.externalIPs);
  if (external.length > 0) rows.push(["External IPs", addressList(external)]);
  const balanced = ports.flatMap((port) => port.loadBalancerIPs);
  if (balanced.length > 0) rows.push(["LoadBalancer Ingress", addressList(balanced)]);
  for (const port of ports) rows.push(...describePort(port));
  const affinity = Math.max(0, ...ports.map((port) => port.choice.affinitySeconds));
  rows.push(["Session Affinity", affinity === 0 ? "None" : `ClientIP (${affinity} s)`]);
  const outside = ports.find((port) => port.externalTrafficPolicy !== undefined)?.externalTrafficPolicy;
  if (outside !== undefined) rows.push(["External Traffic Policy", outside]);
  rows.push(["Internal Traffic Policy", ports[0]!.internalTrafficPolicy]);
  const healthCheck = ports.find((port) => port.healthCheckNodePort !== 0)?.healthCheckNodePort;
  if (healthCheck !== undefined) rows.push(["HealthCheck NodePort", String(healthCheck)]);
  const ranges = unique(ports.flatMap((port) => port.sourceRanges.map(formatPrefix)));
  if (ranges.length > 0) rows.push(["LoadBalancer Source Ranges", ranges.join(",")]);
  const width = Math.max(...rows.map(([name]) => name.length)) + 3;
  return rows.map(([name, text]) => `${(name.startsWith(" ") ? name : `${name}:`).padEnd(width)}${text}\n`).join("");
}

function describePort(port: ReadServicePort): [string, string][] {
  const name = port.name === "" ? "<unset>" : port.name;
  const protocol = port.protocolName.toUpperCase();
  const rows: [string, string][] = [["Port", `${name}  ${port.port === 0 ? "<unknown>" : port.port}/${protocol}`]];
  const targets = unique(endpointsOf(port).flatMap((endpoint) => endpoint.port ?? []));
  if (targets.length > 0) rows.push(["TargetPort", targets.map((target) => `${target}/${protocol}`).join(",")]);
  if (port.nodePort !== 0) rows.push(["NodePort", `${name}  ${port.nodePort}/${protocol}`]);
  rows.push(...describeChoice("Endpoints", port.choice));
  if (port.localChoice !== undefined) rows.push(...describeChoice("Local Endpoints", port.localChoice));
  if (port.refused !== undefined)
    rows.push(["Without Endpoints", port.refused === "reject" ? "rejected" : "dropped: none is local"]);
  return rows;
}

function describeChoice(title: string, choice: EndpointChoice): [string, string][] {
  const { endpoints } = choice;
  if (endpoints.length === 0) return [[title, NONE]];
  const shares = sharesOfChoice(choice);
  const texts = endpoints.map(endpointText);
  return [
    [title, texts.join(",")],
    ...texts.map((text, i): [string, string] => {
      const [percent, exact] = [percentText(toNumber(shares[i]!)), fractionText(shares[i]!)];
      return [`  ${text}`, exact === "" || exact === "1" ? percent : `${percent} (${exact})`];
    }),
  ];
}

function unique<T>(values: readonly T[]): T[] {
  const known = new Map(values.map((value) => [String(value), value]));
  return [...known.values()];
}
