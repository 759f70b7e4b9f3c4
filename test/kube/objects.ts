import type { EndpointSlice, Service, ServiceSpec, SliceEndpoint } from "../../src/kube/objects.js";
import { SERVICE_NAME_LABEL } from "../../src/kube/objects.js";

/** A Service `ns/web` with port http 80/TCP, changed by `spec`. */
export function webService(spec: Partial<ServiceSpec> = {}, rest: Partial<Service> = {}): Service {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { namespace: "ns", name: "web" },
    spec: {
      type: "ClusterIP",
      clusterIP: "172.30.0.1",
      ports: [{ name: "http", port: 80, protocol: "TCP" }],
      ...spec,
    },
    ...rest,
  };
}

/** A slice of `ns/web` on port http 8080/TCP. An endpoint given as text is a ready one on another node. */
export function webSlice(
  endpoints: readonly (string | SliceEndpoint)[],
  rest: Partial<EndpointSlice> = {},
): EndpointSlice {
  return {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: { namespace: "ns", name: "web-a", labels: { [SERVICE_NAME_LABEL]: "web" } },
    addressType: "IPv4",
    ports: [{ name: "http", port: 8080, protocol: "TCP" }],
    endpoints: endpoints.map((one) => (typeof one === "string" ? { addresses: [one] } : one)),
    ...rest,
  };
}
