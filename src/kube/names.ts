import { createHash } from "node:crypto";

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/** The first 16 characters of the base32 (RFC 4648) of a text's SHA-256: kube-proxy's portProtoHash (pkg/proxy/iptables/proxier.go). */
export function hash16(text: string): string {
  const digest = createHash("sha256").update(text).digest();
  let out = "";
  for (let at = 0; at < 10; at += 5) {
    const high = (digest[at]! << 12) | (digest[at + 1]! << 4) | (digest[at + 2]! >>> 4);
    const low = ((digest[at + 2]! & 15) << 16) | (digest[at + 3]! << 8) | digest[at + 4]!;
    out +=
      ALPHABET[high >>> 15]! +
      ALPHABET[(high >>> 10) & 31]! +
      ALPHABET[(high >>> 5) & 31]! +
      ALPHABET[high & 31]! +
      ALPHABET[low >>> 15]! +
      ALPHABET[(low >>> 10) & 31]! +
      ALPHABET[(low >>> 5) & 31]! +
      ALPHABET[low & 31]!;
  }
  return out;
}

/** Prefixes of the chains kube-proxy makes for one service port; all share one hash. */
export type ServiceChainKind = "SVC" | "SVL" | "EXT" | "FW" | "XLB";

/** `namespace/name:port`. An unnamed port leaves the colon away, but kept it in v1.17 and older: there `emptyColon` is true. */
export function servicePortName(namespace: string, name: string, port: string, emptyColon = false): string {
  return port === "" && !emptyColon ? `${namespace}/${name}` : `${namespace}/${name}:${port}`;
}

/** The hash a service port's chains are named by. `name` is the service port name, the protocol in lower case. */
export function servicePortHash(name: string, protocol: string): string {
  return hash16(name + protocol);
}

/** `KUBE-SVC-...` and its sisters. */
export function serviceChainName(kind: ServiceChainKind, name: string, protocol: string): string {
  return `KUBE-${kind}-${servicePortHash(name, protocol)}`;
}

/** `KUBE-SEP-...`, the chain of one endpoint, given as `ip:port` or `[ip]:port`. */
export function endpointChainName(name: string, protocol: string, endpoint: string): string {
  return `KUBE-SEP-${hash16(name + protocol + endpoint)}`;
}
