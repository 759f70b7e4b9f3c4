import { createHash } from "node:crypto";
import { expect, it } from "vitest";
import { describeCluster, makeKernelCluster } from "../../bench/kernel/cluster.js";
import { describeDataset } from "../../bench/subjects/dataset.js";
import type { Dataset } from "../../src/index.js";
import { chainwalk, words } from "../cli/command-line.js";

const size = { services: 20, endpoints: 3, seed: 7 };

it.each<[string, () => Dataset]>([
  ["the studies", () => describeDataset({ kind: "dataset", ...size }).datasets![0]!],
  ["the kernel", () => describeCluster(makeKernelCluster(20, 3, 7), 3, 7)],
])("the checksum of a dataset of %s is that of what its command writes", async (_, describe) => {
  const dataset = describe();
  const [program, ...rest] = words(dataset.command);
  expect(program).toBe("chainwalk");
  const { stdout, exitCode } = await chainwalk(rest);
  expect(exitCode).toBe(0);
  expect(createHash("sha256").update(stdout).digest("hex")).toBe(dataset.sha256);
  expect(Buffer.byteLength(stdout)).toBe(dataset.bytes);
  expect(stdout.match(/^-A /gm)).toHaveLength(dataset.rules);
});
