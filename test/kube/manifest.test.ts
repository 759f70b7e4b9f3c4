import { gzipSync } from "node:zlib";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { stringify } from "yaml";
import { LAYOUTS } from "../../src/kube/iptables-mode/layout.js";
import { printObjects } from "../../src/kube/manifest/print-objects.js";
import { readConfiguration } from "../../src/kube/manifest/read-configuration.js";
import { readObjects } from "../../src/kube/manifest/read-objects.js";
import type { Problem } from "../../src/ruleset/problem.js";
import { servicePortsOf } from "../../src/kube/services.js";
import { arbitraryCluster } from "./arbitrary-cluster.js";
import { webService, webSlice } from "./objects.js";

/** `line:column severity: message`. */
function shown(problems: readonly Problem[]): string[] {
  return problems.map(
    ({ span, severity, message }) => `${span?.line ?? "?"}:${span?.column ?? "?"} ${severity}: ${message}`,
  );
}

/** Everything said of a manifest, what kube-proxy skips included. */
function complaints(text: string): string[] {
  const read = readObjects(text);
  if (read.problems.some((one) => one.severity === "error")) return shown(read.problems);
  const found: Problem[] = [...read.problems];
  servicePortsOf(read.objects, "ip", "here", LAYOUTS["v1.30"].services, (one) => found.push(read.place(one)));
  return shown(found);
}

describe("reading objects", () => {
  it("law: what is printed reads back, in every spelling", () => {
    fc.assert(
      fc.property(arbitraryCluster("ip"), (objects) => {
        const list = { apiVersion: "v1", kind: "List", items: objects };
        const texts = [
          printObjects(objects, "json"),
          printObjects(objects, "yaml"),
          JSON.stringify(list),
          `---\n${JSON.stringify(list)}`,
          `---\n${objects.map((one) => stringify(one)).join("---\n")}`,
          objects.map((one) => JSON.stringify(one)).join("\n"),
          gzipSync(JSON.stringify(list)),
        ].filter((text) => text !== "" && text !== "---\n");
        for (const text of texts) {
          const read = readObjects(text);
          expect(read.problems.filter((one) => one.code !== "no-services")).toEqual([]);
          expect(read.objects).toEqual(objects);
        }
      }),
      { numRuns: 15 },
    );
  });

  it("law: a value broken anywhere is shown on the line where it stands, in JSON as in YAML", () => {
    const objects = [webService(), webSlice(["10.0.0.1", "10.0.0.2"])];
    const list = { apiVersion: "v1", kind: "List", items: objects };
    const broken: [string, string][] = [
      ['"port": 80', '"port": 80000'],
      ['"TCP"', '"tcp"'],
      ['"10.0.0.2"', "12"],
      ['"IPv4"', '"IPv5"'],
      ['"ClusterIP"', "true"],
    ];
    for (const [right, wrong] of broken) {
      const json = JSON.stringify(list, undefined, 2);
      const line = json.slice(0, json.indexOf(right)).split("\n").length;
      const { problems } = readObjects(json.replace(right, wrong));
      expect(problems.map((one) => [one.severity, one.span?.line])).toEqual([["error", line]]);
      const yaml = stringify(JSON.parse(json.replace(right, wrong)));
      const [problem] = readObjects(yaml).problems;
      const value = wrong.split(": ").at(-1)!.replaceAll('"', "");
      expect(yaml.split("\n")[problem!.span!.line - 1]!.slice(problem!.span!.column - 1)).toBe(value);
    }
  });

  it("null is as good as absent, unknown fields and other kinds of the List are passed over", () => {
    const { objects, problems } = readObjects(`
kind: List
apiVersion: v1
metadata: {resourceVersion: ""}
items:
- apiVersion: v1
  kind: Service
  metadata: {name: web, namespace: ns, uid: x, managedFields: [{a: 1}], labels: null}
  spec: {clusterIP: 10.96.0.1, ports: [{port: 80, targetPort: http, name: null}], externalIPs: null}
  status: {loadBalancer: {}}
- apiVersion: discovery.k8s.io/v1
  kind: EndpointSlice
  metadata: {name: web-x, namespace: ns, labels: {kubernetes.io/service-name: web}}
  addressType: IPv4
  endpoints: null
  ports:
- {apiVersion: v1, kind: Pod, metadata: {name: p}}
- {apiVersion: v1, kind: Endpoints, metadata: {name: web}}
- {apiVersion: serving.knative.dev/v1, kind: Service, metadata: {name: k}}
`);
    expect(objects.map((one) => one.kind)).toEqual(["Service", "EndpointSlice"]);
    expect(problems.map((one) => `${one.severity} ${one.message}`)).toEqual([
      "warning an object of kind Pod (v1) left out: kube-proxy writes no rules from it",
      "warning an object of kind Endpoints (v1) left out: kube-proxy reads EndpointSlices instead",
      "warning an object of kind Service (serving.knative.dev/v1) left out: kube-proxy writes no rules from it",
    ]);
    expect(servicePortsOf(objects, "ip", "here")).toMatchObject([{ name: "ns/web", port: 80, externalIPs: [] }]);
  });

  const service = (spec: string): string =>
    `apiVersion: v1\nkind: Service\nmetadata: {name: web, namespace: ns}\nspec:\n  clusterIP: 10.96.0.1\n${spec}`;
  const slice = (endpoint: string): string =>
    `${service("")}---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata:\n  name: web-x\n  namespace: ns\n  labels: {kubernetes.io/service-name: web}\naddressType: IPv4\nports: [{port: 80}]\nendpoints:\n- ${endpoint}\n`;

  it.each<[string, string, string[]]>([
    [
      "nothing",
      "",
      ["1:1 error: the input is empty: a List of Services and EndpointSlices is expected, in JSON or YAML"],
    ],
    [
      "only comments",
      "# x\n---\n",
      ["1:1 error: the input holds no object: a List of Services and EndpointSlices is expected, in JSON or YAML"],
    ],
    [
      "an empty List",
      '{"apiVersion":"v1","kind":"List","items":[]}',
      ["1:1 warning: there is no Service: only the rules that are always there"],
    ],
    ["a tab", "kind: List\nitems:\n\t- a: 1\n", ["3:1 error: this is no YAML: Tabs are not allowed as indentation"]],
    ["a key twice", "kind: List\nkind: List\n", ["2:1 error: this is no YAML: Map keys must be unique"]],
    [
      "JSON that ends",
      '{"kind":"List",\n"items":[',
      ["2:10 error: this is no JSON: the text ends where a value is expected: it is truncated"],
    ],
    ["a comma too many", '{"kind":"List",\n"items":[1,]}', ["2:12 error: this is no JSON: expected a value"]],
    ["a list at the top", "- a\n", ['1:1 error: expected an object with apiVersion and kind, found ["a"]']],
    ["no kind", "a: 1\n", ["1:1 error: kind: expected the kind of an object, found nothing"]],
    ["items that are none", "kind: List\nitems: 3\n", ["2:8 error: items: expected a list, found 3"]],
    [
      "an alias of nothing",
      "kind: *x\n",
      ["1:1 error: this YAML cannot be read: Unresolved alias (the anchor must be set before the alias): x"],
    ],
    [
      "slices of the API before v1",
      "apiVersion: discovery.k8s.io/v1beta1\nkind: EndpointSlice\n",
      [
        "1:13 error: apiVersion: EndpointSlices of discovery.k8s.io/v1beta1 are not read: ask for discovery.k8s.io/v1 (kubectl get endpointslices.v1.discovery.k8s.io)",
      ],
    ],
    [
      "an unknown protocol",
      service("  ports:\n  - port: 80\n    protocol: ICMP\n"),
      ['8:15 error: spec.ports[0].protocol: expected one of TCP, UDP, SCTP, found "ICMP"'],
    ],
    [
      "a port that is a name",
      service("  ports:\n  - port: http\n"),
      ['7:11 error: spec.ports[0].port: expected a whole number from 1 to 65535, found "http"'],
    ],
    [
      "a node port twice",
      service(
        "  type: NodePort\n  ports:\n  - {name: a, port: 80, nodePort: 30000}\n  - {name: b, port: 81, nodePort: 30000}\n",
      ),
      ["9:35 error: Service ns/web: spec.ports[1].nodePort: node port 30000/TCP is already taken by Service ns/web"],
    ],
    [
      "a bad endpoint",
      slice("addresses: [10.0.0.300]"),
      ['16:15 error: EndpointSlice ns/web-x: endpoints[0].addresses[0]: "10.0.0.300" is no IP address'],
    ],
    [
      "an endpoint of the other family",
      slice("addresses: [fd00::1]"),
      [
        "16:15 warning: EndpointSlice ns/web-x: endpoints[0].addresses[0]: fd00::1 is no IPv4 address; kube-proxy leaves the endpoint out",
      ],
    ],
    [
      "a cluster IP of the other family",
      service("").replace("10.96.0.1", "fd00::1"),
      [
        "5:14 warning: Service ns/web: spec.clusterIP: fd00::1 is an IPv6 address; the Service has no part in the IPv4 rules",
      ],
    ],
    [
      "a source range that is an address",
      service("  loadBalancerSourceRanges:\n  - 10.0.0.0/8\n  - 10.0.0.1\n"),
      [
        '8:5 warning: Service ns/web: spec.loadBalancerSourceRanges[1]: "10.0.0.1" is no prefix (address/length); kube-proxy skips it',
      ],
    ],
  ])("%s", (_, text, expected) => {
    expect(complaints(text)).toEqual(expected);
  });

  it("names a hundred wrong values and then says that there are more", () => {
    const items = Array.from({ length: 300 }, () => ({ ...webService(), metadata: {} }));
    const { problems } = readObjects(JSON.stringify({ kind: "List", items }));
    expect(problems).toHaveLength(101);
    expect(problems.at(-1)!.message).toBe("there are more wrong values after this");
  });

  it("refuses an alias bomb", () => {
    const bomb = `a: &a [x,x,x,x,x,x,x,x,x]\n${"bcdefgh"
      .split("")
      .map((c, i) => `${c}: &${c} [${`*${"abcdefg"[i]},`.repeat(9)}]`)
      .join("\n")}\n`;
    expect(shown(readObjects(bomb).problems).join()).toContain("this YAML cannot be read");
  });
});

describe("reading a KubeProxyConfiguration", () => {
  const head = "apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\n";

  it("reads what decides the rules, and has kube-proxy's defaults", () => {
    expect(readConfiguration(head)).toMatchObject({
      problems: [],
      mode: undefined,
      nodeName: undefined,
      conntrackBeLiberal: false,
      configuration: {
        clusterCIDR: "",
        detectLocalMode: "ClusterCIDR",
        nodePortAddresses: [],
        masqueradeAll: false,
        masqueradeBit: 14,
        localhostNodePorts: true,
      },
    });
    const full = `${head}mode: nftables
hostnameOverride: Node-7
clusterCIDR: 10.0.0.0/8,fd00::/48
detectLocalMode: InterfaceNamePrefix
detectLocal: {bridgeInterface: "", interfaceNamePrefix: veth}
nodePortAddresses: [192.168.0.0/24]
conntrack: {tcpBeLiberal: true, min: null}
iptables: {masqueradeBit: 12, masqueradeAll: true, localhostNodePorts: false, syncPeriod: 30s}
nftables: {masqueradeBit: 9, masqueradeAll: null}
winkernel: {x: 1}
`;
    expect(readConfiguration(full)).toMatchObject({
      problems: [],
      mode: "nftables",
      nodeName: "node-7",
      conntrackBeLiberal: true,
      configuration: {
        clusterCIDR: "10.0.0.0/8,fd00::/48",
        detectLocalMode: "InterfaceNamePrefix",
        interfaceNamePrefix: "veth",
        nodePortAddresses: ["192.168.0.0/24"],
        masqueradeAll: false,
        masqueradeBit: 9,
        localhostNodePorts: false,
      },
    });
    expect(readConfiguration(full, "iptables").configuration).toMatchObject({ masqueradeAll: true, masqueradeBit: 12 });
  });

  it("finds it among other documents, and in JSON", () => {
    expect(readConfiguration(`kind: ClusterConfiguration\n---\n${head}mode: iptables\n`).mode).toBe("iptables");
    expect(readConfiguration('{"kind": "KubeProxyConfiguration", "mode": "ipvs"}').mode).toBe("ipvs");
    for (const none of ["none", "None"])
      expect(readConfiguration(`${head}detectLocalMode: ${none}\n`).configuration.detectLocalMode).toBe("None");
  });

  it.each([
    ["", "1:1 error: the input is empty: a KubeProxyConfiguration is expected"],
    ["kind: Pod\n", '1:7 error: kind: expected KubeProxyConfiguration, found "Pod"'],
    [`${head}mode: fancy\n`, '3:7 error: mode: unknown mode "fancy": expected one of iptables, nftables, ipvs'],
    [
      `${head}detectLocalMode: Maybe\n`,
      '3:18 error: detectLocalMode: unknown mode "Maybe": expected one of ClusterCIDR, NodeCIDR, BridgeInterface, InterfaceNamePrefix, None',
    ],
    [
      `${head}detectLocalMode: BridgeInterface\ndetectLocal:\n  bridgeInterface: ""\n`,
      "5:20 error: detectLocal.bridgeInterface: detectLocalMode BridgeInterface needs the name of the bridge here",
    ],
    [`${head}clusterCIDR: 10.0.0.0\n`, '3:14 error: clusterCIDR: "10.0.0.0" is no prefix; write address/length'],
    [
      `${head}clusterCIDR: 10.0.0.0/8,11.0.0.0/8\n`,
      "3:14 error: clusterCIDR: 10.0.0.0/8,11.0.0.0/8: expected one prefix, or one of each family",
    ],
    [
      `${head}nodePortAddresses:\n- 10.0.0.0/8\n- all\n`,
      '5:3 error: nodePortAddresses[1]: "all" is no prefix; write address/length',
    ],
    [
      `${head}iptables:\n  masqueradeBit: 32\n`,
      "4:18 error: iptables.masqueradeBit: expected a whole number from 0 to 31, found 32",
    ],
    [
      `${head}iptables:\n  masqueradeAll: "yes"\n`,
      '4:18 error: iptables.masqueradeAll: expected true or false, found "yes"',
    ],
    [`${head}iptables:\n\tmasqueradeAll: true\n`, "4:1 error: this is no YAML: Tabs are not allowed as indentation"],
  ])("refuses %j", (text, expected) => {
    expect(shown(readConfiguration(text).problems)).toEqual([expected]);
  });
});
