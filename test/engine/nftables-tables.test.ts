import { describe, expect, it } from "vitest";
import { Node } from "../../src/packet/node.js";
import { batchOf } from "../../src/packet/batch.js";
import { resolve, type ResolvedRuleSet } from "../../src/ruleset/resolve.js";
import { generateNftables } from "../../src/kube/nftables-mode/write.js";
import { nftablesLayoutOf } from "../../src/kube/nftables-mode/layout.js";
import { synthesizeCluster } from "../../src/kube/synthetic.js";
import { layOut } from "../../src/engine/compile/columns.js";
import { indexedEngine } from "../../src/engine/indexed.js";
import { OutcomeBatch } from "../../src/engine/outcome-batch.js";
import { Scan } from "../../src/engine/scan.js";
import { packetsFor } from "../arbitrary/packets.js";
import { context } from "./rules.js";

function cluster(version: string): { resolved: ResolvedRuleSet; node: Node } {
  const types = { ClusterIP: 2, NodePort: 1, LoadBalancer: 1 };
  const made = synthesizeCluster({ services: 300, endpoints: 3, seed: 1, types, empty: 0.1 });
  const layout = nftablesLayoutOf(version);
  return {
    resolved: resolve(generateNftables(made.objects, made.configuration, made.node, "ip", layout)),
    node: new Node(made.node.addresses),
  };
}

describe.each(["v1.30.0", "v1.33.0"])("kube-proxy's nftables rules, %s", (version) => {
  const { resolved, node } = cluster(version);
  const batch = batchOf(packetsFor(resolved, node, "ip", 3000, version));

  it("a batch never leaves the columns", () => {
    const scan = new Scan(resolved, layOut(resolved), node);
    const out = new OutcomeBatch("ip", batch.count);
    const given = context({ node });
    scan.begin(batch, given);
    const left = Array.from({ length: batch.count }, (_, i) => i).filter((i) => !scan.walk(batch, i, given, out));
    // A packet of the node to itself comes in again with a source that only the readable walk translates.
    expect(left.filter((i) => batch.get(i).entrance === "prerouting")).toEqual([]);
  });

  it("every service is in the service map, and its first packet costs one lookup and one pick", () => {
    const engine = indexedEngine(resolved, { node });
    const maps = resolved.ruleset.tables[0]!.maps.filter(({ name }) => !name.startsWith("firewall"));
    const keys = maps.reduce((sum, map) => sum + map.elements.length, 0);
    expect(engine.plan.tables.map.filter((word, i) => i % 4 === 1 && word !== 0)).toHaveLength(keys);
  });
});
