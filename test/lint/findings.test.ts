import { describe, expect, it } from "vitest";
import { generateIptables } from "../../src/kube/iptables-mode/write.js";
import { synthesizeCluster } from "../../src/kube/synthetic.js";
import { CHECKS, lint } from "../../src/lint/lint.js";
import { resolve } from "../../src/ruleset/resolve.js";
import { LAYOUTS } from "../../src/kube/iptables-mode/layout.js";
import { findingsIn, nat, save, service, summaries } from "./rules.js";

describe("unreachable-chain", () => {
  const code = "unreachable-chain";
  it.each<[string, readonly string[], readonly string[]]>([
    ["nobody jumps to it", ["-A A-CHAIN -j DROP"], ["warning: no packet enters chain A-CHAIN: no rule jumps to it"]],
    ["an empty one", ["-N A-CHAIN"], ["info: no packet enters chain A-CHAIN: no rule jumps to it"]],
    [
      "only from unreachable chains",
      ["-A A-CHAIN -j B-CHAIN", "-A B-CHAIN -j DROP"],
      [
        "warning: no packet enters chain A-CHAIN: no rule jumps to it",
        "warning: no packet enters chain B-CHAIN: only chains that no packet enters jump to it",
      ],
    ],
    [
      "only by a rule that never matches",
      ["-A FORWARD -j ACCEPT", "-A FORWARD -p tcp -j A-CHAIN", "-A A-CHAIN -j DROP"],
      ["warning: no packet enters chain A-CHAIN: the rules that jump to it never match"],
    ],
    ["reached by jump and goto", ["-A FORWARD -j A-CHAIN", "-A A-CHAIN -g B-CHAIN", "-A B-CHAIN -j DROP"], []],
    ["by design", ["-N KUBE-PROXY-CANARY", "-N KUBE-KUBELET-CANARY", "-N KUBE-IPTABLES-HINT", "-N KUBE-MARK-DROP"], []],
  ])("%s", (_, lines, want) => {
    expect(summaries(save({ filter: lines }), code)).toEqual(want);
  });

  it("of a listing only where it shows the whole table", () => {
    const rules = "-A KUBE-SERVICES -j ACCEPT\n";
    expect(summaries(`-N KUBE-SERVICES\n${rules}`, code)).toEqual([]);
    const all = "-P PREROUTING ACCEPT\n-P INPUT ACCEPT\n-P OUTPUT ACCEPT\n-P POSTROUTING ACCEPT\n-N KUBE-SERVICES\n";
    expect(summaries(all + rules, code)).toHaveLength(1);
  });
});

describe("dangling-endpoint", () => {
  it("names the endpoint, once", () => {
    const text = nat(...service(1, [[null, 1]]), "-A KUBE-SEP-7 -p tcp -m tcp -j DNAT --to-destination 10.0.0.7:8080");
    expect(findingsIn(text).map(({ severity, message }) => `${severity}: ${message}`)).toEqual([
      "warning: no rule jumps to endpoint chain KUBE-SEP-7 (10.0.0.7:8080): the endpoint gets no packets",
    ]);
  });
});

describe("no-endpoints", () => {
  it("rejected: none at all; dropped: none on this node; one finding a service port", () => {
    const refusal = (chain: string, ip: string, comment: string, target: string): string =>
      `-A ${chain} -d ${ip}/32 -p tcp -m comment --comment "${comment}" -m tcp --dport 80 -j ${target}`;
    const text = save({
      filter: [
        "-A FORWARD -j KUBE-SERVICES",
        "-A FORWARD -j KUBE-EXTERNAL-SERVICES",
        refusal("KUBE-SERVICES", "172.30.0.1", "ns/a:http has no endpoints", "REJECT"),
        refusal("KUBE-EXTERNAL-SERVICES", "1.2.3.4", "ns/a:http has no endpoints", "REJECT"),
        refusal("KUBE-EXTERNAL-SERVICES", "1.2.3.5", "ns/b:http has no local endpoints", "DROP"),
      ],
      nat: ["-A PREROUTING -j KUBE-SERVICES"],
    });
    expect(summaries(text, "no-endpoints")).toEqual([
      "info: service ns/a:http has no endpoints: packets to it are rejected (on 2 addresses)",
      "info: service ns/b:http has no endpoints on this node: packets to it are dropped",
    ]);
  });
});

describe("duplicate-destination", () => {
  const rule = (ip: string, name: string, svc: string, more = ""): string =>
    `-A KUBE-SERVICES ${more}-d ${ip}/32 -p tcp -m comment --comment "${name} cluster IP" -m tcp --dport 80 -j KUBE-SVC-${svc.repeat(16)}`;
  const chains = ["A", "B"].map((svc) => `-A KUBE-SVC-${svc.repeat(16)} -j KUBE-SEP-1`);
  const found = (...lines: string[]): string[] =>
    summaries(
      nat(...lines, ...chains, "-A KUBE-SEP-1 -p tcp -m tcp -j DNAT --to-destination 10.0.0.1:80"),
      "duplicate-destination",
    );

  it("two services, one address and port", () => {
    expect(found(rule("172.30.0.1", "ns/a", "A"), rule("172.30.0.1", "ns/b", "B"))).toEqual([
      "error: 172.30.0.1:80 tcp belongs to ns/a and to ns/b: the rule of ns/a stands first and takes all packets",
    ]);
  });

  it("two services, one node port", () => {
    const port = (name: string, svc: string): string =>
      `-A KUBE-NODEPORTS -p tcp -m comment --comment "${name}" -m tcp --dport 30000 -j KUBE-SVC-${svc.repeat(16)}`;
    const jump = "-A KUBE-SERVICES -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS";
    expect(found(jump, port("ns/a", "A"), port("ns/b", "B"))[0]).toContain(
      "node port 30000 tcp belongs to ns/a and to ns/b",
    );
  });

  it("not: another address, one service twice, a rule that asks for more", () => {
    expect(found(rule("172.30.0.1", "ns/a", "A"), rule("172.30.0.2", "ns/b", "B"))).toEqual([]);
    expect(found(rule("172.30.0.1", "ns/a", "A"), rule("172.30.0.1", "ns/a again", "A"))).toEqual([]);
    expect(found(rule("172.30.0.1", "ns/a", "A", "-s 10.0.0.0/8 "), rule("172.30.0.1", "ns/b", "B"))).toEqual([]);
  });
});

describe("chain-without-verdict", () => {
  const code = "chain-without-verdict";
  it.each<[string, readonly string[], readonly string[]]>([
    [
      "an empty chain",
      ["-A FORWARD -j A-CHAIN", "-N A-CHAIN"],
      ["info: chain A-CHAIN is empty: a jump to it has no effect"],
    ],
    [
      "only RETURN",
      ["-A FORWARD -j A-CHAIN", "-A A-CHAIN -p tcp -j RETURN"],
      ["info: chain A-CHAIN gives no verdict and changes nothing: a jump to it has no effect"],
    ],
    [
      "and by way of it",
      ["-A FORWARD -j A-CHAIN", "-A A-CHAIN -j B-CHAIN", "-N B-CHAIN"],
      [
        "info: chain A-CHAIN gives no verdict and changes nothing: a jump to it has no effect",
        "info: chain B-CHAIN is empty: a jump to it has no effect",
      ],
    ],
    ["marks are an effect", ["-A FORWARD -j A-CHAIN", "-A A-CHAIN -j MARK --set-xmark 0x1/0x1"], []],
    [
      "so are lists, logs, unknown targets",
      [
        "-A FORWARD -j A-CHAIN",
        "-A FORWARD -j B-CHAIN",
        "-A FORWARD -j C-CHAIN",
        "-A A-CHAIN -m recent --set --name x --rsource",
        "-A B-CHAIN -j LOG",
        "-A C-CHAIN -j UNHEARDOF",
      ],
      [],
    ],
    [
      "empty by design",
      ["-A FORWARD -j KUBE-FIREWALL", "-N KUBE-FIREWALL", "-A FORWARD -j DOCKER-USER", "-A DOCKER-USER -j RETURN"],
      [],
    ],
  ])("%s", (_, lines, want) => {
    expect(summaries(save({ filter: lines }), code)).toEqual(want);
  });

  it("a service chain without endpoints, an endpoint chain without DNAT", () => {
    const svc = `KUBE-SVC-${"A".repeat(16)}`;
    const jump = `-A KUBE-SERVICES -d 172.30.0.1/32 -p tcp -m tcp --dport 80 -j ${svc}`;
    expect(summaries(nat(jump, `-N ${svc}`), code)).toEqual([
      `error: chain ${svc} leads to no endpoint: packets to its service go on as if there were no service`,
    ]);
    expect(
      summaries(nat(jump, `-A ${svc} -j KUBE-SEP-1`, "-A KUBE-SEP-1 -j MARK --set-xmark 0x4000/0x4000"), code),
    ).toEqual([
      "error: chain KUBE-SEP-1 translates no packet: packets to its service go on as if there were no service",
    ]);
  });
});

describe("undefined-chain", () => {
  it("of a part of a table for information, of a whole one as a warning", () => {
    const rules = "-A KUBE-SERVICES -p tcp -j KUBE-SVC-X\n-A KUBE-SERVICES -p udp -j KUBE-SVC-X\n";
    expect(summaries(rules, "undefined-chain")).toEqual([
      "info: the listing does not show chain KUBE-SVC-X: where rule 1 of KUBE-SERVICES leads cannot be told, nor for 1 more rule",
    ]);
    const all =
      "-P PREROUTING ACCEPT\n-P INPUT ACCEPT\n-P OUTPUT ACCEPT\n-P POSTROUTING ACCEPT\n-A PREROUTING -j KUBE-SERVICES\n";
    expect(summaries(all + rules, "undefined-chain")).toEqual([
      "warning: chain KUBE-SVC-X is not defined in table nat",
    ]);
  });
});

describe("what kube-proxy writes", () => {
  for (const [name, layout] of Object.entries(LAYOUTS))
    it(`gives no alarm in layout ${name}`, () => {
      const types = { ClusterIP: 1, NodePort: 1, LoadBalancer: 1 };
      const options = { services: 60, endpoints: 4, seed: 7, affinity: 0.3, empty: 0.2, externalLocal: 0.3, types };
      const { objects, configuration, node } = synthesizeCluster(options);
      const findings = lint(resolve(generateIptables(objects, configuration, node, "ip", layout)));
      // Information is that some have no endpoints, and that five decimals are a bias of 0.001 % here.
      expect(findings.filter(({ severity }) => severity !== "info")).toEqual([]);
      expect(new Set(findings.map(({ code }) => code))).toEqual(
        new Set(layout.decimals === 5 ? ["no-endpoints", "uneven-choice"] : ["no-endpoints"]),
      );
    });
});

it("every check has a code of its own", () => {
  expect(new Set(CHECKS.map((check) => check.code)).size).toBe(CHECKS.length);
});
