import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { formatEndpoint, parseAddress } from "../../src/packet/address.js";
import type { NodeFacts, ProxyConfiguration } from "../../src/kube/configuration.js";
import { type Layout, layoutOf } from "../../src/kube/iptables-mode/layout.js";
import { generateIptables } from "../../src/kube/iptables-mode/write.js";
import { readConfiguration } from "../../src/kube/manifest/read-configuration.js";
import { readObjects } from "../../src/kube/manifest/read-objects.js";
import type { KubernetesObject } from "../../src/kube/objects.js";
import { objectsOfServices } from "../../src/kube/objects-of-services.js";
import { servicesOf } from "../../src/kube/read-services.js";
import { servicePortsOf } from "../../src/kube/services.js";
import { usableEndpoints, usesClusterEndpoints } from "../../src/kube/usable-endpoints.js";
import type { Rule, RuleSet } from "../../src/ruleset/types.js";
import { printRule } from "../../src/syntax/iptables/printer.js";
import { readIptables } from "../../src/syntax/iptables/reader.js";

const root = process.env.CHAINWALK_CONFORMANCE;
const rerun =
  "rerun: CHAINWALK_CONFORMANCE=... npx vitest run --config test/vitest.config.ts test/kube/kube.conformance.test.ts";

/** kube-proxy walks a Go map: in these chains only the order of the rules of one service port counts. */
const UNORDERED = /^KUBE-(SERVICES|NODEPORTS|EXTERNAL-SERVICES|PROXY-FIREWALL)$/;

interface Case {
  readonly text: string;
  readonly family: "ip" | "ip6";
  readonly node: NodeFacts;
  readonly layout: Layout;
  readonly configuration: ProxyConfiguration;
  readonly objects: readonly KubernetesObject[];
}

function read(dir: string, name: string): string | undefined {
  const path = join(root!, dir, name);
  if (existsSync(path)) return readFileSync(path, "utf8");
  return existsSync(`${path}.gz`) ? gunzipSync(readFileSync(`${path}.gz`)).toString() : undefined;
}

function load(dir: string): Case {
  const facts = JSON.parse(read(dir, "case.json")!) as Record<string, string> & {
    nodeIPs: string[];
    zone: string | null;
  };
  const family = facts.ipFamily === "IPv6" ? "ip6" : "ip";
  const { configuration, problems } = readConfiguration(read(dir, "kube-proxy-config.yaml")!);
  const { objects, problems: found } = readObjects(read(dir, "objects.json")!);
  expect([...problems, ...found].filter((one) => one.severity === "error")).toEqual([]);
  return {
    text: read(dir, family === "ip" ? "rules.iptables-save" : "rules.ip6tables-save")!,
    family,
    node: {
      name: facts.nodeName!,
      addresses: facts.nodeIPs.map((text) => parseAddress(text)!),
      ...(facts.zone === null ? {} : { zone: facts.zone }),
    },
    layout: layoutOf(facts.kubeProxyVersion!),
    configuration,
    objects,
  };
}

/** Kubelet's own rules, which kube-proxy took over in v1.27. */
function isKubelets(table: string, chain: string, rule?: Rule): boolean {
  const last = rule?.statements[rule.statements.length - 1];
  if (last?.kind === "jump" && last.chain === "KUBE-FIREWALL") return true;
  return table === "nat" ? chain === "KUBE-MARK-DROP" : table === "filter" && chain === "KUBE-FIREWALL";
}

/** `table chain` -> lines; those of unordered chains grouped by the service port their comment names. */
function canonical(ruleset: RuleSet, older: boolean): Map<string, string[]> {
  const chains = new Map<string, string[]>();
  for (const table of ruleset.tables) {
    for (const chain of table.chains) {
      const rules = older ? chain.rules.filter((rule) => !isKubelets(table.name, chain.name, rule)) : chain.rules;
      if ((older && isKubelets(table.name, chain.name)) || (chain.base !== undefined && rules.length === 0)) continue;
      const lines = rules.map((rule) => printRule(rule, chain.name));
      chains.set(`${table.name} ${chain.name}`, UNORDERED.test(chain.name) ? lines.toSorted(byService) : lines);
    }
  }
  return chains;
}

function byService(a: string, b: string): number {
  const [x, y] = [a, b].map((line) => /--comment "([^" ]+)/.exec(line)?.[1] ?? "");
  return x! < y! ? -1 : x! > y! ? 1 : 0;
}

/** All chains as they print, table by table; the order of the tables is that of their first use, which varies. */
function chainOrder(ruleset: RuleSet): string {
  return ruleset.tables
    .map((table) => `${table.name}: ${table.chains.map((chain) => chain.name).join(" ")}`)
    .toSorted()
    .join("\n");
}

function directories(): string[] {
  return ["cases", "features", "bench"]
    .flatMap((kind) => readdirSync(join(root!, kind)).map((name) => join(kind, name)))
    .filter((dir) => dir.includes("-iptables-") || dir.includes("/iptables-"));
}

describe.runIf(root)("what the real kube-proxy wrote", () => {
  for (const dir of root ? directories() : []) {
    it(`is generated from the objects of ${dir}`, () => {
      const { text, family, node, layout, configuration, objects } = load(dir);
      const genuine = readIptables(text, { form: "save", family, table: "nat" });
      expect(genuine.problems).toEqual([]);
      const written = generateIptables(objects, configuration, node, family, layout);
      const older = layout.firewall !== "kube-proxy";
      const [expected, actual] = [canonical(genuine.ruleset, older), canonical(written, older)];
      expect([...actual.keys()].toSorted(), rerun).toEqual([...expected.keys()].toSorted());
      for (const [chain, lines] of expected)
        if (lines.join("\n") !== actual.get(chain)!.join("\n"))
          expect(actual.get(chain), `${chain}; ${rerun}`).toEqual(lines);
      if (!older) expect(chainOrder(written), rerun).toBe(chainOrder(genuine.ruleset));
    });

    it(`comes again from the services read out of ${dir}`, () => {
      const { text, family, node, layout, configuration } = load(dir);
      const genuine = readIptables(text, { form: "save", family, table: "nat" }).ruleset;
      const services = servicesOf(genuine, node.addresses);
      const { objects, problems } = objectsOfServices(services, genuine, { nodeName: node.name, zone: node.zone });
      expect(problems).toEqual([]);
      const older = layout.firewall !== "kube-proxy";
      const written = canonical(generateIptables(objects, configuration, node, family, layout), older);
      const expected = canonical(genuine, older);
      expect([...written.keys()].toSorted(), rerun).toEqual([...expected.keys()].toSorted());
      for (const [chain, lines] of expected)
        if (lines.join("\n") !== written.get(chain)!.join("\n"))
          expect(written.get(chain), `${chain}; ${rerun}`).toEqual(lines);
    });

    it(`is read back as the services of ${dir}`, () => {
      const { text, family, node, layout, objects } = load(dir);
      const found = new Map(
        servicesOf(readIptables(text, { form: "save", family, table: "nat" }).ruleset).flatMap((service) =>
          service.ports.map((port) => [`${service.namespace}/${service.name}:${port.name} ${port.protocolName}`, port]),
        ),
      );
      const ports = servicePortsOf(objects, family, node.name, layout.services);
      expect(found.size, rerun).toBe(ports.length);
      for (const port of ports) {
        const name = `${port.namespace}/${port.service}:${port.portName} ${port.protocolName}`;
        const usable = usableEndpoints(port, node);
        const old = layout.external === "xlb";
        const expected = old
          ? port.endpoints.filter((one) => one.ready)
          : usesClusterEndpoints(port) && usable.cluster.length > 0
            ? usable.cluster
            : usable.local;
        const { choice, ...rest } = found.get(name)!;
        const served = expected.length > 0;
        expect({ ...rest, name }, `${name}; ${rerun}`).toMatchObject({
          clusterIPs: [port.clusterIP],
          port: port.port,
          nodePort: port.nodePort,
          ...(served ? { externalIPs: port.externalIPs, loadBalancerIPs: port.loadBalancerIPs } : {}),
        });
        expect(choice.affinitySeconds, name).toBe(served ? port.affinitySeconds : 0);
        expect(
          choice.endpoints.map((one) => formatEndpoint(one.address!, one.port!)),
          `${name}; ${rerun}`,
        ).toEqual(expected.map((one) => formatEndpoint(one.address, one.port)));
      }
    });
  }
});
