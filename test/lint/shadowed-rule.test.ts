import { describe, expect, it } from "vitest";
import { lint } from "../../src/lint/lint.js";
import { resolve } from "../../src/ruleset/resolve.js";
import type { Rule, RuleSet } from "../../src/ruleset/types.js";
import { resolved, save, summaries } from "./rules.js";

/** Whether the last of some rules of filter FORWARD is reported as shadowed. */
function isShadowed(...lines: readonly string[]): boolean {
  return summaries(save({ filter: lines }), "shadowed-rule").length > 0;
}

describe("a rule whose packets an earlier rule takes away", () => {
  it.each<[earlier: string, later: string]>([
    ["-j ACCEPT", "-s 10.0.0.1/32 -j DROP"],
    ["-s 10.0.0.0/8 -j DROP", "-s 10.0.0.1/32 -p tcp -m tcp --dport 80 -j ACCEPT"],
    ["-m iprange --src-range 10.0.0.0-10.0.1.255 -j DROP", "-s 10.0.1.0/24 -j ACCEPT"],
    ["! -s 10.0.0.0/24 -j DROP", "! -s 10.0.0.0/8 -j ACCEPT"],
    ["! -s 10.0.0.0/24 -j DROP", "-s 10.0.1.0/24 -j ACCEPT"],
    ["-p tcp -j DROP", "-p tcp -m tcp --dport 80 -j ACCEPT"],
    ["-p tcp -m tcp -j DROP", "-p tcp -m multiport --dports 80,443 -m tcp -j ACCEPT"],
    ["-p tcp -m tcp --dport 1:1024 -j DROP", "-p tcp -m tcp -m multiport --dports 80,443 -j ACCEPT"],
    ["-p tcp -m multiport --dports 80,443,8080 -j DROP", "-p tcp -m tcp --dport 443 -j ACCEPT"],
    ["-p tcp -m tcp ! --dport 80 -j DROP", "-p tcp -m tcp --dport 81 -j ACCEPT"],
    ["-i eth+ -j DROP", "-i eth0 -j ACCEPT"],
    ["! -i eth0 -j DROP", "-i lo -j ACCEPT"],
    ["-p icmp -m icmp --icmp-type 255 -j DROP", "-p icmp -m icmp --icmp-type 8 -j ACCEPT"],
    ["-m mark --mark 0x1/0x1 -j DROP", "-m mark --mark 0x3/0x3 -j ACCEPT"],
    ["-m conntrack --ctstate NEW,RELATED -j DROP", "-m conntrack --ctstate NEW -j ACCEPT"],
    ["-m conntrack ! --ctstate ESTABLISHED -j DROP", "-m conntrack --ctstate NEW -j ACCEPT"],
    ["-m addrtype --dst-type LOCAL -j DROP", "-m addrtype --src-type LOCAL --dst-type LOCAL -j ACCEPT"],
    ["-m set --match-set bad src -j DROP", "-s 10.0.0.0/8 -m set --match-set bad src -j ACCEPT"],
    ["-m comment --comment one -j DROP", "-m comment --comment other -j DROP"],
    ["-p tcp -j RETURN", "-p tcp -j ACCEPT"],
    ["-p tcp -j DROP", "-p tcp -m recent --rcheck --name x --rsource -j ACCEPT"],
    ["-m statistic --mode random --probability 1.00000000000 -j DROP", "-p tcp -j ACCEPT"],
  ])("%s  before  %s", (earlier, later) => {
    expect(isShadowed(`-A FORWARD ${earlier}`, `-A FORWARD ${later}`)).toBe(true);
  });

  it.each<[earlier: string, later: string]>([
    ["-s 10.0.0.1/32 -j DROP", "-s 10.0.0.0/8 -j ACCEPT"],
    ["! -s 10.0.0.0/8 -j DROP", "! -s 10.0.0.0/24 -j ACCEPT"],
    ["! -s 10.0.0.0/8 -j DROP", "-s 10.0.1.0/24 -j ACCEPT"],
    // A later fragment has no ports: it passes by the first rule.
    ["-p tcp -m tcp -j DROP", "-p tcp -j ACCEPT"],
    ["-p tcp -m tcp --dport 80 -j DROP", "-p udp -m udp --dport 80 -j ACCEPT"],
    ["-p tcp -m tcp --dport 80:90 -j DROP", "-p tcp -m tcp --dport 85:95 -j ACCEPT"],
    ["-i eth0 -j DROP", "-i eth+ -j ACCEPT"],
    ["-m mark --mark 0x3/0x3 -j DROP", "-m mark --mark 0x1/0x1 -j ACCEPT"],
    ["-m conntrack --ctstate NEW -j DROP", "-m conntrack --ctstate NEW,RELATED -j ACCEPT"],
    // A packet has one state, but may be translated besides.
    ["-m conntrack ! --ctstate DNAT -j DROP", "-m conntrack --ctstate NEW -j ACCEPT"],
    ["-m statistic --mode random --probability 0.50000000000 -j DROP", "-p tcp -j ACCEPT"],
    ["-m limit --limit 1/sec -j DROP", "-m limit --limit 1/sec -j ACCEPT"],
    ["-m recent --rcheck --name x --rsource -j DROP", "-m recent --rcheck --name x --rsource -j ACCEPT"],
    ["-m unheardof --sort -j DROP", "-p tcp -j ACCEPT"],
    ["-j UNHEARDOF", "-p tcp -j ACCEPT"],
    ["-j LOG", "-p tcp -j ACCEPT"],
    ["-j MARK --set-xmark 0x1/0x1", "-p tcp -j ACCEPT"],
    // A rule without a target does nothing in either case.
    ["-j ACCEPT", "-m comment --comment remark"],
    ["-j ACCEPT", "-p tcp -m tcp --dport 80"],
  ])("not: %s  before  %s", (earlier, later) => {
    expect(isShadowed(`-A FORWARD ${earlier}`, `-A FORWARD ${later}`)).toBe(false);
  });

  it("looks through a chain that takes everything, and only through such a chain", () => {
    const jump = ["-A FORWARD -p tcp -j A-CHAIN", "-A FORWARD -p tcp -m tcp --dport 80 -j ACCEPT"];
    expect(isShadowed(...jump, "-A A-CHAIN -s 10.0.0.0/8 -j DROP", "-A A-CHAIN -j ACCEPT")).toBe(true);
    expect(isShadowed(...jump, "-A A-CHAIN -j LOG", "-A A-CHAIN -g B-CHAIN", "-A B-CHAIN -j DROP")).toBe(true);
    expect(isShadowed(...jump, "-A A-CHAIN -s 10.0.0.0/8 -j RETURN", "-A A-CHAIN -j ACCEPT")).toBe(false);
    expect(
      isShadowed(...jump, "-A A-CHAIN -s 10.0.0.0/8 -g B-CHAIN", "-A B-CHAIN -p udp -j DROP", "-A A-CHAIN -j DROP"),
    ).toBe(false);
    expect(isShadowed(...jump, "-A A-CHAIN -p udp -j ACCEPT")).toBe(false);
  });

  it("not where a rule between them changes what the first one asked for", () => {
    const [first, last] = ["-A FORWARD -m mark --mark 0x1 -j DROP", "-A FORWARD -m mark --mark 0x1 -j ACCEPT"];
    expect(isShadowed(first, last)).toBe(true);
    expect(isShadowed(first, "-A FORWARD -s 10.0.0.1/32 -j MARK --set-xmark 0x1/0xffffffff", last)).toBe(false);
    expect(isShadowed(first, "-A FORWARD -j M-CHAIN", last, "-A M-CHAIN -j MARK --set-xmark 0x1/0xffffffff")).toBe(
      false,
    );
    expect(isShadowed(first, "-A FORWARD -j UNHEARDOF", last)).toBe(false);
    const ports = [
      "-A FORWARD -p tcp -j DROP",
      "-A FORWARD -j MARK --set-xmark 0x1/0xffffffff",
      "-A FORWARD -p tcp -j ACCEPT",
    ];
    expect(isShadowed(...ports)).toBe(true);
  });

  it("looks back across jumps: where every way to a chain has lost the packets", () => {
    const found = (...lines: string[]): string[] => summaries(save({ filter: lines }), "shadowed-rule");
    const chain = ["-A A-CHAIN -s 10.1.0.0/16 -p tcp -m tcp --dport 80 -j ACCEPT", "-A A-CHAIN -j LOG"];
    const drop = (base: string): string => `-A ${base} -s 10.0.0.0/8 -j DROP`;
    const enter = (base: string): string => `-A ${base} -j A-CHAIN`;
    expect(found(drop("FORWARD"), enter("FORWARD"), ...chain)).toEqual([
      expect.stringMatching(/^warning: rule 1 of A-CHAIN never matches: rule 1 of FORWARD \(line \d+\) takes every/),
    ]);
    expect(found(drop("FORWARD"), enter("FORWARD"), drop("INPUT"), enter("INPUT"), ...chain)).toHaveLength(1);
    // Another way is open; the taker stands behind the jump, or takes less, or only now and then.
    expect(found(drop("FORWARD"), enter("FORWARD"), enter("INPUT"), ...chain)).toEqual([]);
    expect(found(enter("FORWARD"), drop("FORWARD"), ...chain)).toEqual([]);
    expect(found("-A FORWARD -s 10.1.0.0/24 -j DROP", enter("FORWARD"), ...chain)).toEqual([]);
    expect(found("-A FORWARD -m limit --limit 1/sec -j DROP", enter("FORWARD"), ...chain)).toEqual([]);
    // RETURN in a chain between leads past the rest of that chain only.
    const between = ["-A FORWARD -j B-CHAIN", "-A B-CHAIN -s 10.0.0.0/8 -j RETURN", "-A B-CHAIN -j A-CHAIN"];
    expect(found(...between, ...chain)).toHaveLength(1);
    expect(found(...between, enter("FORWARD"), ...chain)).toEqual([]);
  });

  it("knows in a chain what its callers ask for", () => {
    const own = ["-A A-CHAIN -p tcp -j DROP", "-A A-CHAIN -s 10.1.0.0/16 -j ACCEPT"];
    const enter = (base: string, protocol: string): string => `-A ${base} -p ${protocol} -j A-CHAIN`;
    expect(isShadowed(enter("FORWARD", "tcp"), ...own)).toBe(true);
    expect(isShadowed(enter("FORWARD", "tcp"), enter("INPUT", "tcp"), ...own)).toBe(true);
    expect(isShadowed(enter("FORWARD", "tcp"), enter("INPUT", "udp"), ...own)).toBe(false);
    const split = ["-A FORWARD -s 10.0.0.0/8 -p tcp -m tcp --dport 80 -j DROP", "-A FORWARD -s 10.1.0.0/16 -j A-CHAIN"];
    expect(isShadowed(...split, "-A A-CHAIN -p tcp -m tcp --dport 80 -j ACCEPT")).toBe(true);
    expect(isShadowed(...split, "-A A-CHAIN -p tcp -m tcp --dport 81 -j ACCEPT")).toBe(false);
  });

  it("not across a jump where something has changed since", () => {
    const [first, last] = ["-A FORWARD -m mark --mark 0x1 -j DROP", "-A A-CHAIN -m mark --mark 0x1 -j ACCEPT"];
    const mark = (chain: string): string => `-A ${chain} -s 10.0.0.1/32 -j MARK --set-xmark 0x1/0xffffffff`;
    expect(isShadowed(first, "-A FORWARD -j A-CHAIN", last)).toBe(true);
    expect(isShadowed(first, mark("FORWARD"), "-A FORWARD -j A-CHAIN", last)).toBe(false);
    expect(isShadowed(first, "-A FORWARD -j A-CHAIN", mark("A-CHAIN"), last)).toBe(false);
    const through = ["-A FORWARD -j B-CHAIN", "-A B-CHAIN -j A-CHAIN"];
    expect(isShadowed(first, ...through, last)).toBe(true);
    expect(isShadowed(first, through[0]!, mark("B-CHAIN"), through[1]!, last)).toBe(false);
    const own = [mark("A-CHAIN"), "-A A-CHAIN -m mark --mark 0x1 -j DROP", "-A A-CHAIN -p tcp -j ACCEPT"];
    expect(isShadowed("-A FORWARD -m mark --mark 0x1 -j A-CHAIN", ...own)).toBe(false);
  });

  it("across a verdict map of nft, and of a jump behind a change what the change leaves", () => {
    const shadowed = (caller: string): (number | undefined)[] => {
      const text = `table ip t {
  chain a {
    meta mark 0x00000001 drop
    ip saddr 10.1.0.0/16 tcp dport 80 drop
  }
  chain forward {
    type filter hook forward priority filter; policy accept;
    ip saddr 10.0.0.0/8 drop
    meta mark 0x00000001 drop
    ${caller}
  }
}
`;
      const findings = lint(resolved(text)).filter(({ code }) => code === "shadowed-rule");
      return findings.map(({ place }) => (place.chain === "a" ? place.rule : undefined));
    };
    expect(shadowed("ip protocol vmap { tcp : jump a }")).toEqual([1, 2]);
    expect(shadowed("meta mark set 0x00000001 jump a")).toEqual([2]);
  });

  it("names both rules", () => {
    const text = save({
      filter: [
        "-A FORWARD -p udp -j ACCEPT",
        "-A FORWARD -p tcp -j ACCEPT",
        "-A FORWARD -s 10.0.0.1/32 -p tcp -j DROP",
      ],
    });
    const [finding] = lint(resolved(text));
    expect(finding).toMatchObject({
      code: "shadowed-rule",
      severity: "warning",
      message: "rule 3 of FORWARD never matches: rule 2 (line 6) takes every packet it asks for",
      place: { family: "ip", table: "filter", chain: "FORWARD", rule: 3, span: { line: 7 } },
      related: [{ chain: "FORWARD", rule: 2, span: { line: 6 } }],
    });
  });

  it("silent on what it does not know of nftables: verdict maps, lookups, translations that may fail", () => {
    const chain = (...rules: Rule["statements"][]): RuleSet => ({
      tables: [
        {
          family: "inet",
          name: "t",
          sets: [],
          maps: [],
          chains: [
            {
              name: "forward",
              base: { type: "filter", hook: "forward", priority: 0, policy: "accept" },
              rules: rules.map((statements) => ({ statements })),
            },
            { name: "a", rules: [{ statements: [{ kind: "drop" }] }] },
          ],
        },
      ],
    });
    const key = [{ kind: "field", field: "dport" }] as never;
    const later: Rule["statements"] = [{ kind: "protocol", protocol: 6, negate: false }, { kind: "drop" }];
    for (const earlier of [
      [{ kind: "verdict-map", key, map: [{ key: [[80, 80]], verdict: { kind: "jump", chain: "a" } }] }],
      [{ kind: "lookup", key, set: "s", negate: false }, { kind: "drop" }],
      [{ kind: "dnat", to: {}, mapped: {} }],
      [{ kind: "something new" }],
    ] as unknown as Rule["statements"][])
      expect(lint(resolve(chain(earlier, later))).filter(({ code }) => code === "shadowed-rule")).toEqual([]);
    const counted: Rule["statements"] = [{ kind: "counter", packets: 0, bytes: 0 }, { kind: "drop" }];
    expect(lint(resolve(chain(counted, later))).map(({ code }) => code)).toContain("shadowed-rule");
  });

  it("finds its way in long chains, in about linear time", () => {
    const rules = (n: number): string[] =>
      Array.from(
        { length: n },
        (_, i) =>
          `-A FORWARD -s 10.${i >> 14}.${(i >> 7) & 127}.${i & 127}/32 -p tcp -m tcp --dport ${1 + (i % 1000)} -j DROP`,
      );
    const text = save({ filter: [...rules(20_000), ...rules(20_000).slice(-5)] });
    const began = performance.now();
    expect(lint(resolved(text)).filter(({ code }) => code === "shadowed-rule")).toHaveLength(5);
    expect(performance.now() - began).toBeLessThan(10_000);
  });
});
