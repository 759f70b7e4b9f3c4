import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parseKernelArguments } from "../../bench/kernel/arguments.js";
import { type KernelCluster, makeKernelCluster, writeNft } from "../../bench/kernel/cluster.js";
import { addMore, removeMore } from "../../bench/kernel/nft-change.js";
import { planKernel } from "../../bench/kernel/plan.js";
import { writeRules } from "../../bench/kernel/rules.js";
import { findObstacles, findVariants } from "../../bench/kernel/tools.js";
import { drawPackets, emulate, PACKETS, writePackets, writeTables } from "../../bench/kernel/workload.js";
import { ArgumentError } from "../../bench/arguments.js";
import { columnEngine, linearEngine, readRules, resolve } from "../../src/index.js";

const SERVICES = 20;

describe("bench:kernel's words", () => {
  it("measures all variants at all sizes by default", () => {
    expect(parseKernelArguments([])).toMatchObject({
      quick: false,
      services: [10, 300, 1000, 3000, 10_000],
      variants: ["iptables-legacy", "iptables-nft", "nft-maps", "ebpf"],
    });
    expect(parseKernelArguments(["--variant", "ebpf,nft-maps"]).variants).toEqual(["nft-maps", "ebpf"]);
  });

  it.each([[["--variant", "ipvs"]], [["--services", "1"]], [["more"]]])("refuses %j", (words) => {
    expect(() => parseKernelArguments(words)).toThrow(ArgumentError);
  });

  it("says what is missing instead of measuring", () => {
    const path = process.env.PATH;
    process.env.PATH = "/nowhere";
    try {
      expect(findObstacles().join("\n")).toMatch(process.platform === "linux" ? /not installed: cc|sh/ : /Linux/);
      const { variants, notes } = findVariants(["iptables-legacy", "ebpf"]);
      expect(variants).toEqual([]);
      expect(notes.join("\n")).toMatch(
        /iptables-legacy was left out: no iptables-legacy-restore.*\n.*ebpf was left out/,
      );
    } finally {
      process.env.PATH = path;
    }
  });
});

describe("a round", () => {
  it("holds each variant at each size, and the baselines beside them", () => {
    const { plans, notes } = planKernel({ services: [10, 300], quick: false }, ["iptables-legacy", "ebpf"]);
    expect(plans.map(({ engine, services }) => `${engine} ${services}`)).toEqual(
      [10, 300].flatMap((size) => ["no-rules", "conntrack-only", "iptables-legacy", "ebpf"].map((e) => `${e} ${size}`)),
    );
    expect(notes).toEqual([]);
  });

  it("leaves the slowest load out of a quick run, and says so", () => {
    const { plans, notes } = planKernel({ services: [3000, 10_000], quick: true }, ["nft-maps"]);
    expect(plans.filter(({ engine }) => engine === "nft-maps").map(({ services }) => services)).toEqual([3000]);
    expect(notes).toEqual([expect.stringContaining("nft-maps at 10000 services")]);
  });
});

describe("what the kernel is given", () => {
  let directory: string;
  let cluster: KernelCluster;
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), "chainwalk-kernel-test-"));
    cluster = makeKernelCluster(SERVICES, 3, 1);
  });
  afterAll(() => rmSync(directory, { recursive: true }));

  it("one service is removed and added again, the one in the middle", () => {
    const { name } = cluster.ports[SERVICES / 2]!;
    const { load, update } = writeRules(directory, "iptables-legacy", cluster);
    const [all, without, again] = [load!, update!.remove, update!.add].map(({ input }) => readFileSync(input, "utf8"));
    const toService = /^-A KUBE-SERVICES .*cluster IP/gm;
    expect(all!.match(toService)).toHaveLength(SERVICES);
    expect(without!.match(toService)).toHaveLength(SERVICES - 1);
    expect(without).not.toContain(`"${name} cluster IP"`);
    expect(without!.match(/^-X KUBE-S(VC|EP)/gm)).toHaveLength(4);
    expect(again!.match(toService)).toHaveLength(SERVICES);
    expect(again).toContain(`"${name} cluster IP"`);
    expect(again!.match(/-j DNAT/g)).toHaveLength(3);
  });

  it("as many rules visited more as there are services before", () => {
    const engine = columnEngine(cluster.resolved, { node: cluster.node });
    const work = (["first", "last"] as const).map((to) => emulate(engine, cluster, to, 1));
    const [first, last] = work.map(({ first: { rulesVisited } }) => rulesVisited);
    // The place, and on average as many rules of the choice among endpoints.
    expect(Math.abs(last! - first! - (SERVICES - 1))).toBeLessThan(0.5);
    expect(work[0]!.established.rulesVisited).toBe(work[1]!.established.rulesVisited);
    expect(work[0]!.established.rulesVisited).toBeLessThan(first!);
  });

  it("as many of the rules of nftables mode for every place, and more lookups than an established packet", () => {
    const engine = linearEngine(resolve(writeNft(cluster)));
    const work = (["first", "last"] as const).map((to) => emulate(engine, cluster, to, 1));
    expect(work[0]).toEqual(work[1]);
    expect(emulate(engine, cluster, "first", 1)).toEqual(work[0]);
    expect(work[0]!.first.mapLookups).toBeGreaterThan(work[0]!.established.mapLookups);
  });

  it("the transactions of nft take away what makes one service, and give it back", () => {
    const [all, less] = [cluster.ports, cluster.ports.slice(1)].map((ports) => writeNft({ ...cluster, ports }));
    const added = addMore(less!, all!);
    expect(added.match(/chain service-/g)).toHaveLength(1);
    expect(added.match(/chain endpoint-/g)).toHaveLength(3);
    expect(readRules(added).problems.filter(({ severity }) => severity === "error")).toEqual([]);
    const removed = removeMore(less!, all!).split("\n");
    expect(removed.filter((line) => line.startsWith("delete element"))).toHaveLength(2); // cluster-ips, service-ips
    for (const verb of ["flush", "delete"])
      expect(removed.filter((line) => line.startsWith(`${verb} chain`))).toHaveLength(4);
    expect(addMore(all!, less!)).not.toContain("chain");
  });

  it("packets and tables as words that the C programs read", () => {
    const words = (path: string) => new Uint32Array(readFileSync(path).buffer.slice(0));
    const packets = words(writePackets(directory, "some", drawPackets(cluster, "uniform", 1)));
    expect([packets[1], packets[2], packets.length]).toEqual([4, PACKETS, 2 + 4 * (1 + PACKETS)]);
    const path = join(directory, "some.tables");
    expect(writeTables(path, cluster, "uniform", 1)).toEqual({ mapLookups: 2 });
    const tables = words(path);
    expect([tables[1], tables[2]]).toEqual([3, 4 * SERVICES]);
    const rows = Array.from({ length: SERVICES }, (_, i) => [...tables.subarray(3 + 4 * i, 7 + 4 * i)]);
    const wanted = cluster.ports.map(({ clusterIP, port }) => [clusterIP, port | (6 << 16)]);
    expect(rows.map(([address, key]) => [address, key]).sort()).toEqual(wanted.sort());
    for (const [, , first, count] of rows) expect([first! % 3, count]).toEqual([0, 3]);
  });
});
