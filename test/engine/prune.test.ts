import { describe, expect, it } from "vitest";
import { prune } from "../../src/engine/compile/prune.js";
import { rules } from "./rules.js";

/** The rules of INPUT (by number) that are shadowed -> those that do it. */
function shadows(...lines: string[]): Record<number, number> {
  const { shadowed } = prune(rules({ filter: lines }));
  return Object.fromEntries([...shadowed].map(([rule, by]) => [rule.number, by.number]));
}

describe("prune", () => {
  it("sees a rule that an earlier one takes all packets from", () => {
    expect(shadows("-A INPUT -s 10.0.0.0/8 -j DROP", "-A INPUT -s 10.1.0.0/16 -p tcp -j ACCEPT")).toEqual({ 2: 1 });
    expect(shadows("-A INPUT -j RETURN", "-A INPUT -m limit --limit 1/s -j DROP")).toEqual({ 2: 1 });
    expect(
      shadows("-A INPUT -i eth0 -p tcp --dport 1:99 -j DROP", "-A INPUT -i eth0 -p tcp --dport 80 -j ACCEPT"),
    ).toEqual({ 2: 1 });
    expect(
      shadows("-A INPUT -s 10.0.0.1 -j ACCEPT", "-A INPUT -s 10.0.0.2 -j ACCEPT", "-A INPUT -s 10.0.0.1 -j DROP"),
    ).toEqual({ 3: 1 });
  });

  it("keeps a rule some packet can reach", () => {
    for (const [first, second] of [
      ["-s 10.1.0.0/16 -j DROP", "-s 10.0.0.0/8 -j ACCEPT"],
      ["-p tcp -j DROP", "-j ACCEPT"],
      ["-i eth0 -j DROP", "-j ACCEPT"],
      ["-p tcp --dport 80 -j DROP", "-p tcp --dport 79:80 -j ACCEPT"],
      ["-p tcp --dport 80 -j DROP", "-p udp --dport 80 -j ACCEPT"],
      ["! -s 10.0.0.0/8 -j DROP", "-s 10.0.0.0/8 -j ACCEPT"],
      // A fragment passes -p tcp and fails -m tcp.
      ["-p tcp -m tcp -j DROP", "-p tcp -j ACCEPT"],
      // What is not pure says nothing certain; nor does a mark, which may have changed.
      ["-m limit --limit 1/s -j DROP", "-j ACCEPT"],
      ["-m statistic --mode random --probability 0.5 -j DROP", "-j ACCEPT"],
      ["-m mark --mark 1 -j DROP", "-m mark --mark 1 -j ACCEPT"],
      ["-j LOG", "-j ACCEPT"],
      ["-j chain", "-j ACCEPT"],
    ])
      expect(shadows(`-A INPUT ${first}`, `-A INPUT ${second}`), `${first}, then ${second}`).toEqual({});
  });

  it("sees chains that nothing leads to, or only what nothing gets to", () => {
    const resolved = rules({
      filter: [
        "-A INPUT -s 10.0.0.0/8 -j DROP",
        "-A INPUT -s 10.0.0.1 -j dead",
        "-A INPUT -j live",
        "-A dead -j deader",
        "-A alone -j live",
      ],
    });
    const { reached } = prune(resolved);
    const gone = resolved.chains.filter(({ id }) => reached[id] === 0).map(({ name }) => name);
    expect(gone.sort()).toEqual(["alone", "dead", "deader"]);
  });
});
