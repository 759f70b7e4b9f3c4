import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Family } from "../../src/packet/address.js";
import { parseAddress } from "../../src/packet/address.js";
import { DEFAULT_CONFIGURATION, settingsOf } from "../../src/kube/configuration.js";
import { LAYOUTS, type LayoutName } from "../../src/kube/iptables-mode/layout.js";
import { planSync } from "../../src/kube/iptables-mode/sync.js";
import { writeIptables } from "../../src/kube/iptables-mode/write.js";
import { servicePortsOf } from "../../src/kube/services.js";
import { printRules } from "../../src/syntax/iptables/printer.js";
import { arbitraryCluster, HERE } from "../kube/arbitrary-cluster.js";

const CLUSTERS = 12;

/** Loads texts one after the other in a network namespace of their own, the first whole, the others with --noflush, and saves. */
function loadAndSave(family: Family, texts: readonly string[]): string {
  const program = family === "ip" ? "iptables-legacy" : "ip6tables-legacy";
  const dir = mkdtempSync(join(tmpdir(), "chainwalk-sync-"));
  try {
    const steps = texts.map((text, i) => {
      writeFileSync(join(dir, String(i)), text);
      return `${program}-restore ${i === 0 ? "" : "--noflush --counters "}< ${join(dir, String(i))}`;
    });
    const script = ["mount -t tmpfs none /run", ...steps, `${program}-save`].join(" && ");
    const { status, stdout, stderr } = spawnSync("unshare", ["-n", "-m", "sh", "-ec", script], { encoding: "utf8" });
    if (status !== 0) throw new Error(`the rules do not load: ${stderr}`);
    return stdout
      .replace(/^#.*\n/gm, "")
      .split(/^(?=\*)/m)
      .sort()
      .join("");
  } finally {
    rmSync(dir, { recursive: true });
  }
}

describe("a sync loaded over the old rules", () => {
  for (const family of ["ip", "ip6"] as const)
    it.each(["v1.17", "v1.26", "v1.30", "current"] as LayoutName[])(`leaves the new rules: ${family}, %s`, (name) => {
      const layout = LAYOUTS[name];
      const node = { ...HERE, addresses: [parseAddress("192.168.0.2")!, parseAddress("2001:db8::2")!] };
      const configuration = { ...DEFAULT_CONFIGURATION, clusterCIDR: "10.0.0.0/8,fd00::/16" };
      const settings = settingsOf(configuration, node, family);
      const clusters = fc.sample(arbitraryCluster(family), { numRuns: CLUSTERS, seed: 4 });
      clusters.forEach((objects, i) => {
        const [before, after] = [objects, clusters[(i + 1) % CLUSTERS]!].map((one) =>
          servicePortsOf(one, family, node.name, layout.services),
        );
        // Half of the services stay as they are.
        const next = [
          ...before!.slice(0, 4),
          ...after!.filter((port) => before!.every((one) => one.name !== port.name)),
        ];
        const sync = planSync(before!, next, settings, layout);
        const [old, whole] = [before!, next].map((ports) => printRules(writeIptables(ports, settings, layout)));
        expect(loadAndSave(family, [old!, sync.text])).toBe(loadAndSave(family, [whole!]));
      });
    });
});
