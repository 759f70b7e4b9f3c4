import { readFileSync } from "node:fs";
import { describe, it } from "vitest";
import { parseAddress } from "../../src/packet/address.js";
import { Node } from "../../src/packet/node.js";
import { readRules } from "../../src/syntax/read.js";
import { resolve } from "../../src/ruleset/resolve.js";
import { generateIptables } from "../../src/kube/iptables-mode/write.js";
import { generateNftables } from "../../src/kube/nftables-mode/write.js";
import { synthesizeCluster } from "../../src/kube/synthetic.js";
import { packetsFor } from "../arbitrary/packets.js";
import { expectSameDistributions, expectSameOutcomes } from "./engines-agree.js";

const rerun = (seed: number): string =>
  `rerun: CHAINWALK_SEED=${seed} npx vitest run --config test/vitest.config.ts test/law/engines.test.ts`;
const seed = Number(process.env.CHAINWALK_SEED ?? 20260101);
/** Packets held in memory at a time. */
const PART = 20_000;
const long = process.env.CHAINWALK_LONG === "1";

describe("linear, columns and indexed agree on the data sets", () => {
  for (const file of ["nginx-clusterip/rules.iptables-save"]) {
    it(file, () => {
      const { ruleset } = readRules(readFileSync(new URL(`../../datasets/${file}`, import.meta.url)));
      const subject = { resolved: resolve(ruleset!), node: new Node([parseAddress("192.168.0.2")!]) };
      const sent = packetsFor(subject.resolved, subject.node, "ip", 2000, `packets ${seed}`);
      expectSameOutcomes(subject, sent, seed, rerun(seed));
      expectSameDistributions(subject, sent.slice(0, 300), rerun(seed));
    });
  }
});

describe("linear, columns and indexed agree on generated rule sets", () => {
  for (const [services, endpoints, packets] of [
    [1, 1, 500],
    [20, 3, 4000],
    [300, 7, 4000],
    [1000, 5, long ? 1_000_000 : 12_000],
  ] as const) {
    it(`${services} services x ${endpoints}`, { timeout: 3_600_000 }, () => {
      const cluster = synthesizeCluster({ services, endpoints, seed, affinity: 0.1, empty: 0.1 });
      const resolved = resolve(generateIptables(cluster.objects, cluster.configuration, cluster.node));
      const subject = { resolved, node: new Node(cluster.node.addresses) };
      for (let part = 0; part * PART < packets; part++) {
        const count = Math.min(PART, packets - part * PART);
        const sent = packetsFor(resolved, subject.node, "ip", count, `packets ${seed} ${part}`);
        expectSameOutcomes(subject, sent, seed, rerun(seed));
        if (part === 0) expectSameDistributions(subject, sent.slice(0, 300), rerun(seed));
      }
    });
  }
});

const SIX = { podCIDR: "fd00:10::/48", serviceCIDR: "fd00:172::/112", nodeIP: "fd00:200::1" };

describe("linear, columns and indexed agree on generated nftables rule sets", () => {
  for (const [services, endpoints, packets, family] of [
    [1, 1, 500, "ip"],
    [20, 3, 3000, "ip"],
    [300, 7, 3000, "ip"],
    [50, 3, 1000, "ip6"],
  ] as const) {
    it(`${services} services x ${endpoints}, ${family}`, { timeout: 3_600_000 }, () => {
      const cluster = synthesizeCluster({
        services,
        endpoints,
        seed,
        affinity: 0.1,
        empty: 0.1,
        ...(family === "ip6" ? SIX : {}),
      });
      const resolved = resolve(generateNftables(cluster.objects, cluster.configuration, cluster.node, family));
      const subject = { resolved, node: new Node(cluster.node.addresses) };
      const sent = packetsFor(resolved, subject.node, family, packets, `packets ${seed}`);
      expectSameOutcomes(subject, sent, seed, rerun(seed));
      expectSameDistributions(subject, sent.slice(0, 300), rerun(seed));
    });
  }
});
