import { describe, expect, it } from "vitest";
import { parseAddress } from "../../src/packet/address.js";
import { DEFAULT_CONFIGURATION, type NodeFacts } from "../../src/kube/configuration.js";
import { LAYOUTS, layoutOf } from "../../src/kube/iptables-mode/layout.js";
import { generateIptables } from "../../src/kube/iptables-mode/write.js";
import { ProblemError } from "../../src/ruleset/problem.js";
import { printRules } from "../../src/syntax/iptables/printer.js";
import { webService, webSlice } from "./objects.js";

const nodePort = webService({ type: "NodePort", ports: [{ name: "http", port: 80, nodePort: 30080 }] });

/** Lines that hold a word, of the rules for one service with a node port. */
function lines(word: string, version: string, facts: Partial<NodeFacts> = {}, localhostNodePorts = true): string[] {
  const node = { name: "here", addresses: [parseAddress("192.168.0.2")!], ...facts };
  const configuration = { ...DEFAULT_CONFIGURATION, localhostNodePorts };
  const rules = generateIptables([nodePort, webSlice(["10.0.0.1"])], configuration, node, "ip", layoutOf(version));
  return printRules(rules)
    .split("\n")
    .filter((line) => line.includes(word));
}

describe("layouts", () => {
  it.each([
    ["v1.17", "v1.17"],
    ["1.17.4", "v1.17"],
    ["v1.26.0", "v1.26"],
    ["v1.27", "v1.30"],
    ["V1.30.3", "v1.30"],
    ["v1.30.3-gke.100", "v1.30"],
    ["v1.31.1", "v1.31"],
    ["v1.32.0", "v1.32"],
    ["v1.40", "v1.40"],
    ["current", "current"],
  ])("%s writes as %s", (version, expected) => {
    expect(layoutOf(version).version).toBe(expected);
  });

  it("v1.31 differs from v1.30 in nothing but what it takes for a hint, v1.40 from current in its name", () => {
    const { services, ...rest } = layoutOf("v1.31");
    const { services: own, ...older } = LAYOUTS["v1.30"];
    expect({ ...rest, version: "v1.30" }).toEqual(older);
    expect(services).toEqual({ ...own, hints: "zones" });
    expect({ ...layoutOf("v1.40"), version: "current" }).toEqual(LAYOUTS.current);
  });

  it.each([
    ["v1.20", "v1.17"],
    ["v1.22", "v1.26"],
    ["v1.25", "v1.26"],
    ["v1.8", "v1.12"],
  ])("%s is refused, naming %s", (version, nearest) => {
    expect(() => layoutOf(version)).toThrow(ProblemError);
    expect(() => layoutOf(version)).toThrow(`the nearest is ${nearest}`);
  });

  it.each(["", "1", "v2.0", "latest", "v1.x", "v1.30.3.4"])("%j is no version", (version) => {
    expect(() => layoutOf(version)).toThrow(/no version of kube-proxy/);
  });

  it("INVALID packets: dropped, counted from v1.32 on, let through where conntrack is liberal from v1.29 on", () => {
    const drop = "-A KUBE-FORWARD -m conntrack --ctstate INVALID -j DROP";
    const counted =
      "-A KUBE-FORWARD -m conntrack --ctstate INVALID -m nfacct --nfacct-name  ct_state_invalid_dropped_pkts -j DROP";
    for (const version of ["v1.17", "v1.26", "v1.30", "v1.31", "v1.32", "v1.34"])
      expect(lines("INVALID", version)).toEqual([drop]);
    for (const version of ["v1.17", "v1.26", "v1.30", "v1.31"])
      expect(lines("INVALID", version, { nfacct: true })).toEqual([drop]);
    for (const version of ["v1.32", "v1.33", "current"])
      expect(lines("INVALID", version, { nfacct: true })).toEqual([counted]);
    for (const version of ["v1.17", "v1.26"])
      expect(lines("INVALID", version, { conntrackBeLiberal: true })).toEqual([drop]);
    for (const version of ["v1.30", "v1.32"])
      expect(lines("INVALID", version, { conntrackBeLiberal: true })).toEqual([]);
  });

  it("node ports over localhost are counted by a rule of their own from v1.33 on", () => {
    const all = /^-A KUBE-NODEPORTS -p tcp -m comment --comment "ns\/web:http" -m tcp --dport 30080 -j KUBE-EXT-/;
    const localhost =
      /^-A KUBE-NODEPORTS -d 127.0.0.0\/8 -p tcp -m comment --comment "ns\/web:http" -m tcp --dport 30080 -m nfacct --nfacct-name {2}localhost_nps_accepted_pkts -j KUBE-EXT-/;
    const nfacct = { nfacct: true };
    for (const version of ["v1.33", "v1.34"])
      expect(lines("--dport 30080", version, nfacct)).toEqual([
        expect.stringMatching(localhost),
        expect.stringMatching(all),
      ]);
    expect(lines("--dport 30080", "v1.32", nfacct)).toEqual([expect.stringMatching(all)]);
    expect(lines("--dport 30080", "v1.33")).toEqual([expect.stringMatching(all)]);
    expect(lines("--dport 30080", "v1.33", nfacct, false)).toEqual([expect.stringMatching(all)]);
  });
});
