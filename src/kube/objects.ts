/**
 * Kubernetes objects as `kubectl get services,endpointslices -A -o json` prints them: of each only the fields
 * that kube-proxy reads (core/v1 Service, discovery.k8s.io/v1 EndpointSlice). Whatever else they hold is ignored.
 */
export type KubernetesObject = Service | EndpointSlice | ServiceCIDR;

export interface List {
  readonly apiVersion: "v1";
  readonly kind: "List";
  readonly items: readonly KubernetesObject[];
}

export interface Metadata {
  readonly name: string;
  /** Absent means `default`. */
  readonly namespace?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** As the API spells them. */
export type ServiceProtocol = "TCP" | "UDP" | "SCTP";
export type TrafficPolicy = "Cluster" | "Local";
export type ServiceType = "ClusterIP" | "NodePort" | "LoadBalancer" | "ExternalName";

export interface Service {
  readonly apiVersion: "v1";
  readonly kind: "Service";
  readonly metadata: Metadata;
  readonly spec: ServiceSpec;
  readonly status?: { readonly loadBalancer?: { readonly ingress?: readonly LoadBalancerIngress[] } };
}

export interface ServiceSpec {
  /** `None` for a headless service, empty or absent while none is assigned. */
  readonly clusterIP?: string;
  /** One for each family; the first equals `clusterIP`. */
  readonly clusterIPs?: readonly string[];
  /** In the order of `clusterIPs`. */
  readonly ipFamilies?: readonly ("IPv4" | "IPv6")[];
  readonly type?: ServiceType;
  readonly ports?: readonly ServiceSpecPort[];
  readonly externalIPs?: readonly string[];
  readonly externalTrafficPolicy?: TrafficPolicy;
  readonly internalTrafficPolicy?: TrafficPolicy;
  readonly loadBalancerSourceRanges?: readonly string[];
  readonly healthCheckNodePort?: number;
  readonly sessionAffinity?: "None" | "ClientIP";
  readonly sessionAffinityConfig?: { readonly clientIP?: { readonly timeoutSeconds?: number } };
  /** kube-proxy itself does not look at it: it works through the hints of the slices. */
  readonly trafficDistribution?: string;
  readonly externalName?: string;
  readonly allocateLoadBalancerNodePorts?: boolean;
}

export interface ServiceSpecPort {
  readonly name?: string;
  readonly port: number;
  readonly protocol?: ServiceProtocol;
  readonly nodePort?: number;
}

export interface LoadBalancerIngress {
  readonly ip?: string;
  readonly hostname?: string;
  readonly ipMode?: "VIP" | "Proxy";
}

export interface EndpointSlice {
  readonly apiVersion: "discovery.k8s.io/v1";
  readonly kind: "EndpointSlice";
  readonly metadata: Metadata;
  readonly addressType: "IPv4" | "IPv6" | "FQDN";
  readonly ports?: readonly EndpointPort[];
  readonly endpoints?: readonly SliceEndpoint[];
}

export interface EndpointPort {
  readonly name?: string;
  /** Absent: any port; kube-proxy skips it. */
  readonly port?: number;
  readonly protocol?: ServiceProtocol;
}

export interface SliceEndpoint {
  readonly addresses: readonly string[];
  readonly conditions?: { readonly ready?: boolean; readonly serving?: boolean; readonly terminating?: boolean };
  readonly nodeName?: string;
  readonly zone?: string;
  readonly hints?: {
    readonly forZones?: readonly { readonly name: string }[];
    readonly forNodes?: readonly { readonly name: string }[];
  };
}

export interface ServiceCIDR {
  readonly apiVersion: string;
  readonly kind: "ServiceCIDR";
  readonly metadata: Metadata;
  readonly spec: { readonly cidrs: readonly string[] };
}

/** The label that ties an EndpointSlice to its Service. */
export const SERVICE_NAME_LABEL = "kubernetes.io/service-name";
/** Objects with these labels never reach kube-proxy: its informers leave them out. */
export const PROXY_NAME_LABEL = "service.kubernetes.io/service-proxy-name";
export const HEADLESS_LABEL = "service.kubernetes.io/headless";
