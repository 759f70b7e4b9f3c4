import seedrandom from "seedrandom";
import { describe, expect, it } from "vitest";
import { compile } from "../../src/engine/compile/compile.js";
import { columnEngine, indexedEngine } from "../../src/engine/indexed.js";
import { OutcomeBatch } from "../../src/engine/outcome-batch.js";
import { verify } from "../../src/engine/verify/verify.js";
import { generateIptables } from "../../src/kube/iptables-mode/write.js";
import { synthesizeCluster } from "../../src/kube/synthetic.js";
import { batchOf } from "../../src/packet/batch.js";
import { Node } from "../../src/packet/node.js";
import { makePacket, type Packet } from "../../src/packet/packet.js";
import { type ResolvedRuleSet, resolve } from "../../src/ruleset/resolve.js";
import type { Chain, RuleSet } from "../../src/ruleset/types.js";
import { readRules } from "../../src/syntax/read.js";
import { packetsFor } from "../arbitrary/packets.js";
import { contextFor, expectSameOutcomes } from "./engines-agree.js";

const SERVICES = 10_000;
const PACKETS = 2048;
const long = process.env.CHAINWALK_LONG === "1";
const seed = Number(process.env.CHAINWALK_SEED ?? 20260105);
const rerun = `rerun: CHAINWALK_SEED=${seed} npx vitest run --config test/vitest.config.ts test/law/mixed-node.test.ts`;

/** What stands before kube-proxy's jumps on such a node: a firewall somebody wrote, and the CNI's chains. */
const BEFORE = `*raw
:PREROUTING ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:cali-PREROUTING - [0:0]
-A PREROUTING -j cali-PREROUTING
-A cali-PREROUTING -i cali+ -j MARK --set-xmark 0x40000/0x40000
-A cali-PREROUTING -m mark --mark 0x40000/0x40000 -m addrtype --dst-type LOCAL -j RETURN
-A cali-PREROUTING -j MARK --set-xmark 0x0/0x40000
COMMIT
*nat
:PREROUTING ACCEPT [0:0]
:INPUT ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
:cali-PREROUTING - [0:0]
:cali-fip-dnat - [0:0]
-A PREROUTING -j cali-PREROUTING
-A PREROUTING -i wg0 -p tcp -m tcp --dport 8000:8099 -j LOG --log-prefix "wg "
-A cali-PREROUTING -j cali-fip-dnat
-A cali-fip-dnat -d 203.0.113.7/32 -j DNAT --to-destination 10.0.0.9
COMMIT
*filter
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:fw-in - [0:0]
:cali-FORWARD - [0:0]
:cali-from-wl - [0:0]
-A INPUT -j fw-in
-A FORWARD -j cali-FORWARD
-A fw-in -i lo -j RETURN
-A fw-in -p tcp -m multiport --dports 22,179,9100:9199,10250 -j RETURN
-A fw-in -s 198.51.100.0/24 -j LOG --log-prefix "scan "
-A fw-in -s 198.51.100.0/24 -j DROP
-A cali-FORWARD -i cali+ -j cali-from-wl
-A cali-FORWARD -o cali+ -p tcp -m tcp --dport 25 -j REJECT --reject-with icmp-port-unreachable
-A cali-from-wl -d 169.254.169.254/32 -p tcp -m tcp --dport 80 -j DROP
-A cali-from-wl -m conntrack --ctstate INVALID -j DROP
COMMIT
`;

/** What stands behind them: docker's chains, the CNI's masquerade, the end of the firewall. */
const AFTER = `*nat
:PREROUTING ACCEPT [0:0]
:INPUT ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
:DOCKER - [0:0]
-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
-A OUTPUT ! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL -j DOCKER
-A POSTROUTING -s 172.200.0.0/16 ! -o docker0 -j MASQUERADE
-A POSTROUTING -s 10.0.0.0/8 ! -d 10.0.0.0/8 -j MASQUERADE
-A DOCKER -i docker0 -j RETURN
-A DOCKER ! -i docker0 -p tcp -m tcp --dport 5000 -j DNAT --to-destination 172.200.0.2:5000
COMMIT
*filter
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:DOCKER-USER - [0:0]
:DOCKER - [0:0]
-A INPUT -p udp -m udp --dport 33434:33534 -j REJECT --reject-with icmp-port-unreachable
-A INPUT -p tcp -m tcp --dport 6000:6063 -j LOG --log-prefix "x11 "
-A FORWARD -j DOCKER-USER
-A FORWARD -o docker0 -j DOCKER
-A DOCKER-USER -i eth1 -s 192.0.2.0/24 -j DROP
-A DOCKER-USER -j RETURN
-A DOCKER -d 172.200.0.2/32 ! -i docker0 -o docker0 -p tcp -m tcp --dport 5000 -j ACCEPT
COMMIT
`;

/** Rule sets one behind the other: chains of one name are one chain, with the rules of all in turn. */
function join(...all: readonly RuleSet[]): RuleSet {
  const tables = new Map<string, RuleSet["tables"][number]>();
  for (const table of all.flatMap((one) => one.tables)) {
    const chains = new Map<string, Chain>((tables.get(table.name)?.chains ?? []).map((chain) => [chain.name, chain]));
    for (const chain of table.chains) {
      const there = chains.get(chain.name);
      chains.set(chain.name, there === undefined ? chain : { ...there, rules: [...there.rules, ...chain.rules] });
    }
    tables.set(table.name, { ...table, chains: [...chains.values()] });
  }
  return { tables: [...tables.values()] };
}

/** The rule set of such a node with so many services, and the node. */
function mixedNode(services: number): { resolved: ResolvedRuleSet; node: Node } {
  const cluster = synthesizeCluster({ services, endpoints: 5, seed });
  const kube = generateIptables(cluster.objects, cluster.configuration, cluster.node);
  const [before, after] = [BEFORE, AFTER].map((text) => readRules(text).ruleset!);
  return { resolved: resolve(join(before!, kube, after!)), node: new Node(cluster.node.addresses) };
}

describe("a node with a CNI, docker and a firewall around kube-proxy's chains", () => {
  it("is compiled into what is proven equal", { timeout: 600_000 }, () => {
    const { resolved, node } = mixedNode(long ? SERVICES : 300);
    const { equal, share, reason, counterexample } = verify(compile(resolved, node));
    expect({ equal, share, reason, counterexample }, rerun).toEqual({ equal: true, share: 1 });
    expectSameOutcomes({ resolved, node }, packetsFor(resolved, node, "ip", 200, String(seed)), seed, rerun);
  });

  it("visits 50 times fewer rules than linear at 10,000 services", { timeout: 600_000 }, () => {
    const { resolved, node } = mixedNode(SERVICES);
    const random = seedrandom.alea(`${seed} mixed node`);
    const services = resolved.rules
      .filter(({ chain }) => chain.table.name === "nat" && chain.name === "KUBE-SERVICES")
      .flatMap(({ rule }) => destinationOf(rule) ?? []);
    expect(services.length).toBe(SERVICES);
    const packets = Array.from({ length: PACKETS }, (): Packet => {
      const to = services[Math.floor(random() * services.length)]!;
      return makePacket({ ...to, src: 0x0a010105, sport: 40_000 });
    });
    const [linear, indexed] = [columnEngine(resolved, { node }), indexedEngine(resolved, { node })].map((engine) => {
      const out = new OutcomeBatch("ip", PACKETS);
      engine.classifyBatch(batchOf(packets), contextFor(node, seed), out);
      return out.work.rulesVisited / PACKETS;
    });
    expect(linear!, rerun).toBeGreaterThan(SERVICES / 3);
    const ratio = linear! / Math.max(indexed!, 1);
    expect(ratio, `${indexed} rules visited, ${linear} by linear; ${rerun}`).toBeGreaterThan(50);
  });
});

/** Where a rule of KUBE-SERVICES for one destination sends packets on; undefined for others. */
function destinationOf({ statements }: Chain["rules"][number]): Pick<Packet, "dst" | "protocol" | "dport"> | undefined {
  const address = statements.find((one) => one.kind === "address" && one.field === "daddr");
  const protocol = statements.find((one) => one.kind === "protocol");
  const transport = statements.find((one) => one.kind === "transport");
  if (address?.kind !== "address" || protocol?.kind !== "protocol" || transport?.kind !== "transport") return undefined;
  const port = transport.dport?.ranges[0]?.[0];
  return port === undefined ? undefined : { dst: address.value, protocol: protocol.protocol, dport: port };
}
