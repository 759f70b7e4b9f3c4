/** A Service as a rule set shows it. */
import type { Address } from "../packet/address.js";
import type { MaskedAddress } from "../packet/prefix.js";
import type { EndpointChoice } from "./read-endpoints.js";

/** One port of a Service, as far as rules show it. */
export interface ReadServicePort {
  /** Empty where it has none, or where no comment tells. */
  readonly name: string;
  readonly protocol: number;
  readonly protocolName: string;
  /** One, unless a listing holds it under several; none where only other addresses of it are shown. */
  readonly clusterIPs: readonly Address[];
  /** 0 where only its node port is seen. */
  readonly port: number;
  /** 0: none. */
  readonly nodePort: number;
  /** 0: none. */
  readonly healthCheckNodePort: number;
  readonly externalIPs: readonly Address[];
  readonly loadBalancerIPs: readonly Address[];
  /** The sources its load balancer lets in; empty: all. */
  readonly sourceRanges: readonly MaskedAddress[];
  /** What is done with packets where it has no endpoints it may use, on some address at least. */
  readonly refused: "reject" | "drop" | undefined;
  readonly internalTrafficPolicy: "Cluster" | "Local";
  /** Undefined where it is not reachable from outside, and where a listing does not show how. */
  readonly externalTrafficPolicy: "Cluster" | "Local" | undefined;
  /** The chain that chooses among its endpoints (KUBE-SVC-..., or KUBE-SVL-... where that is all there is). */
  readonly chain: string | undefined;
  readonly choice: EndpointChoice;
  /** The choice among the endpoints of this node, for traffic policy Local. */
  readonly localChoice: EndpointChoice | undefined;
  /** Packets are refused everywhere: load-balancer addresses cannot be told from external IPs. */
  readonly unserved: boolean;
}

/** A Service, as far as rules show it. */
export interface ReadService {
  readonly namespace: string;
  readonly name: string;
  readonly type: "ClusterIP" | "NodePort" | "LoadBalancer";
  readonly ports: readonly ReadServicePort[];
}
