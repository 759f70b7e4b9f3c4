/** `npm run bench:kernel`, a tiny run of it: every variant is loaded and measured, and nothing is left behind. */
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { DESTINATIONS, prepare } from "../../bench/kernel/material.js";
import { KernelBench } from "../../bench/kernel/measure.js";
import { KernelNode } from "../../bench/kernel/node.js";
import { Conversation, stopPrograms } from "../../bench/kernel/programs.js";
import { compilePrograms, findVariants, type Programs, VARIANTS } from "../../bench/kernel/tools.js";

const SERVICES = 10;

/** Processes of this test in other network namespaces than its own. */
function strangers(): string[] {
  const own = readlinkSync("/proc/self/ns/net");
  return readdirSync("/proc").filter((pid) => {
    try {
      const parent = /^\d+$/.test(pid) ? readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]!.split(" ")[1] : "";
      return parent === String(process.pid) && readlinkSync(`/proc/${pid}/ns/net`) !== own;
    } catch {
      return false; // it has ended
    }
  });
}

describe("bench:kernel", () => {
  const directory = mkdtempSync(join(tmpdir(), "chainwalk-kernel-bench-test-"));
  let programs: Programs;
  let ebpfNotes: string[];
  beforeAll(() => {
    ({ programs, notes: ebpfNotes } = compilePrograms(directory, findVariants(["ebpf"]).variants.length > 0));
  });
  afterAll(() => rmSync(directory, { recursive: true }));

  it.each(VARIANTS)("%s: every packet comes out translated, and takes time", async (variant) => {
    if (variant === "ebpf" && programs.ebpf === undefined) {
      // Skipped as the bench skips it: said, with what to install.
      expect([...findVariants(["ebpf"]).notes, ...ebpfNotes].join()).toMatch(/ebpf was left out.*apt-get install/);
      return;
    }
    const material = prepare(directory, [variant], SERVICES, 3, 1);
    const bench = new KernelBench(programs, new Map([[SERVICES, material]]));
    const cases = await bench.measure({ engine: variant, services: SERVICES }, 0);
    const kinds = cases.map(({ factors: { engine, packet, destination, stage, change } }) =>
      [engine, packet ?? change ?? stage, destination ?? ""].join(" ").trim(),
    );
    const packets = variant === "ebpf" ? ["first"] : ["first-datapath", "established-chains"];
    for (const destination of DESTINATIONS)
      for (const packet of packets) expect(kinds).toContain(`${variant} ${packet} ${destination}`);
    if (variant !== "ebpf")
      for (const change of ["load", "one service removed", "one service added"])
        expect(kinds).toContain(`${variant} ${change}`);
    for (const { samples } of cases) for (const sample of samples) expect(sample).toBeGreaterThan(0);
    expect(strangers()).toEqual([]);
  });

  it("an interrupted run leaves no process and no namespace", async () => {
    await Promise.all([0, 1].map(() => KernelNode.start(programs.sender)));
    expect(strangers()).toHaveLength(2);
    stopPrograms();
    for (let tries = 0; strangers().length > 0 && tries < 100; tries++) await new Promise((r) => setTimeout(r, 20));
    expect(strangers()).toEqual([]);
  });

  it("a program that ends instead of answering says why", async () => {
    const sender = await Conversation.start([programs.sender]);
    await expect(sender.ask("dance")).rejects.toThrow("unknown command dance");
  });
});
