import { hash16 } from "../names.js";
import type { Endpoint, ServicePort } from "../services.js";

/** knftables' limit of a name, less what the longest prefix takes (chainNameBaseLengthMax). */
const LONGEST_BASE = 256 - 16;

/** A name with the first 8 characters of its hash before it, cut where it is too long (hashAndTruncate, pkg/proxy/nftables/proxier.go). */
export function hashAndTruncate(name: string): string {
  const whole = `${hash16(name).slice(0, 8)}-${name}`;
  return whole.length > LONGEST_BASE ? `${whole.slice(0, LONGEST_BASE - 3)}...` : whole;
}

type NamedPort = Pick<ServicePort, "namespace" | "service" | "protocolName" | "portName">;

function portPath({ namespace, service, protocolName, portName }: NamedPort): string {
  return `${namespace}/${service}/${protocolName}/${portName}`;
}

/** What the names of a service port's chains end with: `ULMVA6XW-ns1/svc1/tcp/p80` (servicePortChainNameBase). */
export function servicePortBase(port: NamedPort): string {
  return hashAndTruncate(portPath(port));
}

/**
 * What the names of an endpoint's chain and affinity set end with: `5OJB2KTY-ns1/svc1/tcp/p80__10.180.0.1/80`; dots stand for the
 * colons of IPv6 (servicePortEndpointChainNameBase).
 */
export function endpointBase(port: NamedPort, { text }: Pick<Endpoint, "text">): string {
  const colon = text.lastIndexOf(":");
  const address = text.slice(0, colon).replace(/^\[(.*)\]$/, "$1");
  return hashAndTruncate(`${portPath(port)}__${address.replaceAll(":", ".")}/${text.slice(colon + 1)}`);
}
