import { parseAddress } from "../packet/address.js";
import { DEFAULT_CONFIGURATION } from "./configuration.js";
import { SERVICE_NAME_LABEL } from "./objects.js";
import type { Cluster } from "./synthetic.js";

/**
 * The example of the 2018 articles on kube-proxy: Service default/nginx with cluster IP 172.19.0.166 and two endpoints,
 * in a cluster whose pods live in 172.16.0.0/16. Its port has no name. datasets/nginx-clusterip is made from it.
 */
export const NGINX_EXAMPLE: Cluster = {
  objects: [
    {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: "nginx", namespace: "default" },
      spec: { type: "ClusterIP", clusterIP: "172.19.0.166", ports: [{ port: 80, protocol: "TCP" }] },
    },
    {
      apiVersion: "discovery.k8s.io/v1",
      kind: "EndpointSlice",
      metadata: { name: "nginx-0", namespace: "default", labels: { [SERVICE_NAME_LABEL]: "nginx" } },
      addressType: "IPv4",
      ports: [{ port: 80, protocol: "TCP" }],
      endpoints: [{ addresses: ["172.16.2.125"] }, { addresses: ["172.16.2.229"] }],
    },
  ],
  node: { name: "node-0", addresses: [parseAddress("192.168.0.2")!] },
  configuration: { ...DEFAULT_CONFIGURATION, clusterCIDR: "172.16.0.0/16" },
};
