import { createHash } from "node:crypto";
import { expect, it } from "vitest";
import { describeCluster, makeKernelCluster } from "../../bench/kernel/cluster.js";
import { describeDataset } from "../../bench/subjects/dataset.js";
import { type Dataset, readRules } from "../../src/index.js";
import { chainwalk, words } from "../cli/command-line.js";

const size = { services: 20, endpoints: 3, seed: 7 };

it.each<[string, () => Dataset]>([
  ["the studies", () => describeDataset({ kind: "dataset", mode: "iptables", ...size }).datasets![0]!],
  ["the studies, nftables mode", () => describeDataset({ kind: "dataset", mode: "nftables", ...size }).datasets![0]!],
  ["the kernel", () => describeCluster(makeKernelCluster(20, 3, 7), 3, 7)],
])("the checksum of a dataset of %s is that of what its command writes", async (_, describe) => {
  const dataset = describe();
  const [program, ...rest] = words(dataset.command);
  expect(program).toBe("chainwalk");
  const { stdout, exitCode } = await chainwalk(rest);
  expect(exitCode).toBe(0);
  expect(createHash("sha256").update(stdout).digest("hex")).toBe(dataset.sha256);
  expect(Buffer.byteLength(stdout)).toBe(dataset.bytes);
  const chains = readRules(stdout).ruleset!.tables.flatMap((table) => table.chains);
  expect(chains.flatMap(({ rules }) => rules)).toHaveLength(dataset.rules);
});
