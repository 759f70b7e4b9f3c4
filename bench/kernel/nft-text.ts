import { formatAddress, type ServicePort } from "../../src/index.js";
import { POD_CIDR } from "./cluster.js";

/** The rules of kube-proxy's nftables mode (KEP-3866), as far as a ClusterIP service needs them. */
const TABLE = "kube-proxy";

export function nftRules(ports: readonly ServicePort[]): string {
  return [
    `table ip ${TABLE} {`,
    "map service-ips { type ipv4_addr . inet_proto . inet_service : verdict; }",
    "chain mark-for-masquerade { meta mark set mark or 0x4000; }",
    ...ports.flatMap(serviceChains),
    "chain services { ip daddr . meta l4proto . th dport vmap @service-ips; }",
    "chain nat-prerouting { type nat hook prerouting priority dstnat; policy accept; jump services; }",
    "chain nat-output { type nat hook output priority -100; policy accept; jump services; }",
    "chain nat-postrouting { type nat hook postrouting priority srcnat; policy accept;",
    "meta mark and 0x4000 == 0 return; meta mark set mark xor 0x4000; masquerade fully-random; }",
    "}",
    `add element ip ${TABLE} service-ips { ${ports.map((port) => `${keyOf(port)} : goto ${chainOf(port)}`).join(", ")} }`,
    "",
  ].join("\n");
}

/** One transaction that adds a service. */
export function nftAdd(port: ServicePort): string {
  return [
    `table ip ${TABLE} {`,
    ...serviceChains(port),
    "}",
    `add element ip ${TABLE} service-ips { ${keyOf(port)} : goto ${chainOf(port)} }`,
    "",
  ].join("\n");
}

/** One transaction that removes it. */
export function nftRemove(port: ServicePort): string {
  const chains = [chainOf(port), ...endpointsOf(port).map(({ chain }) => chain)];
  return [
    `delete element ip ${TABLE} service-ips { ${keyOf(port)} }`,
    ...["flush", "delete"].flatMap((verb) => chains.map((chain) => `${verb} chain ip ${TABLE} ${chain}`)),
    "",
  ].join("\n");
}

function serviceChains(port: ServicePort): string[] {
  const endpoints = endpointsOf(port);
  const choices = endpoints.map(({ chain }, k) => `${k} : goto ${chain}`).join(", ");
  const { clusterIP, protocolName } = port;
  return [
    ...endpoints.map(
      ({ chain, text }) =>
        `chain ${chain} { ip saddr ${text.split(":")[0]} jump mark-for-masquerade; meta l4proto ${protocolName} dnat to ${text}; }`,
    ),
    `chain ${chainOf(port)} { ip daddr ${formatAddress(clusterIP)} ${protocolName} dport ${port.port} ip saddr != ${POD_CIDR} jump mark-for-masquerade; numgen random mod ${endpoints.length} vmap { ${choices} }; }`,
  ];
}

function endpointsOf(port: ServicePort): { chain: string; text: string }[] {
  return port.endpoints.map(({ text }) => ({ chain: `endpoint-${text.replace(":", "/")}`, text }));
}

function keyOf({ clusterIP, protocolName, port }: ServicePort): string {
  return `${formatAddress(clusterIP)} . ${protocolName} . ${port}`;
}

function chainOf({ namespace, service }: ServicePort): string {
  return `service-${namespace}/${service}`;
}
