import { describe, expect, it } from "vitest";
import { formatAddress } from "../../src/packet/address.js";
import { Node } from "../../src/packet/node.js";
import { parseAddress } from "../../src/packet/address.js";
import { linearEngine } from "../../src/engine/linear.js";
import { RuleMemory } from "../../src/engine/state.js";
import { formatFraction } from "../../src/engine/fraction.js";
import { context, type Given, NODE, packet, rules } from "./rules.js";
import type { PacketFields } from "../../src/packet/packet.js";
import type { ResolvedRuleSet } from "../../src/ruleset/resolve.js";
import type { Outcome } from "../../src/engine/types.js";

const FORWARDED = "10.0.0.1:1000 10.0.0.2:80";
const classify = (
  set: ResolvedRuleSet,
  addresses = FORWARDED,
  fields: Partial<PacketFields> = {},
  given: Given = {},
): Outcome => linearEngine(set).classify(packet(addresses, fields), context(given));
const path = (
  set: ResolvedRuleSet,
  addresses = FORWARDED,
  fields: Partial<PacketFields> = {},
  given: Given = {},
): string[] =>
  linearEngine(set)
    .trace(packet(addresses, fields), context(given))
    .steps.flatMap((step) => {
      if (step.kind === "rule") return [`${step.rule.chain.table.name}:${step.rule.chain.name}:${step.rule.number}`];
      if (step.kind === "policy") return [`${step.table}:${step.chain}:${step.policy}`];
      return step.kind === "hook" ? [step.hook] : [];
    });

describe("the order of hooks and tables", () => {
  const everywhere = rules({
    filter: ["-A INPUT -j LOG", "-A FORWARD -j LOG", "-A OUTPUT -j LOG"],
    nat: ["-A PREROUTING -j LOG", "-A INPUT -j LOG", "-A OUTPUT -j LOG", "-A POSTROUTING -j LOG"],
    mangle: ["PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"].map((chain) => `-A ${chain} -j LOG`),
    raw: ["-A PREROUTING -j LOG", "-A OUTPUT -j LOG"],
  });
  const visited = (addresses: string, fields: Partial<PacketFields> = {}): string =>
    path(everywhere, addresses, fields)
      .filter((step) => step.includes(":1"))
      .map((step) => step.replace(":1", ""))
      .join(" ");

  it.each([
    [
      "forwarded",
      FORWARDED,
      {},
      "raw:PREROUTING mangle:PREROUTING nat:PREROUTING mangle:FORWARD filter:FORWARD mangle:POSTROUTING nat:POSTROUTING",
    ],
    [
      "to the node",
      "10.0.0.1:1000 192.168.0.2:80",
      {},
      "raw:PREROUTING mangle:PREROUTING nat:PREROUTING mangle:INPUT filter:INPUT nat:INPUT",
    ],
    [
      "from the node",
      "192.168.0.2:1000 10.0.0.2:80",
      { entrance: "output" },
      "raw:OUTPUT mangle:OUTPUT nat:OUTPUT filter:OUTPUT mangle:POSTROUTING nat:POSTROUTING",
    ],
    [
      "from the node to itself: in again by lo, the nat chains not asked again",
      "192.168.0.2:1000 192.168.0.2:80",
      { entrance: "output" },
      "raw:OUTPUT mangle:OUTPUT nat:OUTPUT filter:OUTPUT mangle:POSTROUTING nat:POSTROUTING raw:PREROUTING mangle:PREROUTING mangle:INPUT filter:INPUT",
    ],
  ] as const)("%s", (_, addresses, fields, want) => expect(visited(addresses, fields)).toBe(want));

  it("later packets pass all chains but nat", () => {
    const connection = { state: "established", direction: "original", status: 14, mark: 0 } as const;
    const steps = path(everywhere, FORWARDED, {}, { connection }).filter((step) => step.startsWith("nat"));
    expect(steps).toEqual([]);
  });
});

describe("chains", () => {
  it("return from a user chain goes on behind the jump; at the end of a base chain the policy decides", () => {
    const set = rules({ filter: ["-A FORWARD -j a", "-A FORWARD -j DROP", "-A a -j RETURN", "-A a -j ACCEPT"] });
    expect(path(set)).toContain("filter:FORWARD:2");
    expect(path(set)).not.toContain("filter:a:2");
    expect(classify(set).verdict).toBe("drop");
  });

  it("RETURN in a base chain means its policy", () => {
    const lines = { filter: ["-A FORWARD -j RETURN", "-A FORWARD -j ACCEPT"] };
    expect(classify(rules(lines, { "filter FORWARD": "DROP" })).verdict).toBe("drop");
    expect(classify(rules(lines)).verdict).toBe("accept");
  });

  it("after goto the rest of the calling chain is not visited", () => {
    const set = rules({
      filter: ["-A FORWARD -j a", "-A FORWARD -j DROP", "-A a -g b", "-A a -j ACCEPT", "-A b -j LOG"],
    });
    expect(path(set)).toEqual(expect.arrayContaining(["filter:b:1", "filter:FORWARD:2"]));
    expect(path(set)).not.toContain("filter:a:2");
  });

  it("goto from a base chain ends at its policy", () => {
    const set = rules(
      { filter: ["-A FORWARD -g b", "-A FORWARD -j ACCEPT", "-A b -j LOG"] },
      { "filter FORWARD": "DROP" },
    );
    expect(path(set).slice(-3)).toEqual(["filter:FORWARD:1", "filter:b:1", "filter:FORWARD:drop"]);
  });

  it("accept ends one table only", () => {
    const set = rules({ mangle: ["-A FORWARD -j ACCEPT"], filter: ["-A FORWARD -j DROP"] });
    expect(classify(set).verdict).toBe("drop");
  });

  it("a rule without target counts as matched and goes on", () => {
    const set = rules({ filter: ["-A FORWARD -m comment --comment x", "-A FORWARD -j DROP"] });
    expect(path(set)).toContain("filter:FORWARD:1");
    expect(classify(set).work.rulesVisited).toBe(2);
  });
});

describe("NAT and routing", () => {
  const dnat = rules({
    nat: [
      "-A PREROUTING -d 172.16.0.1/32 -p tcp -m tcp --dport 80 -j DNAT --to-destination 10.0.0.9:8080",
      "-A POSTROUTING -m mark --mark 0x4000/0x4000 -j MASQUERADE",
    ],
    mangle: ["-A PREROUTING -s 10.9.0.0/16 -j MARK --set-xmark 0x4000/0x4000"],
    filter: [
      "-A FORWARD -d 10.0.0.9/32 -p tcp -m tcp --dport 8080 -m conntrack --ctstate DNAT -j ACCEPT",
      "-A FORWARD -j DROP",
    ],
  });

  it("filter chains see the translated destination and the DNAT state", () => {
    expect(classify(dnat, "10.0.0.1:1 172.16.0.1:80")).toMatchObject({
      verdict: "accept",
      destination: { port: 8080 },
      way: "forward",
    });
    expect(classify(dnat, "10.0.0.1:1 172.16.0.1:81").verdict).toBe("drop");
  });

  it("masquerade takes the address of the route", () => {
    const outcome = classify(dnat, "10.9.0.1:1 172.16.0.1:80");
    expect(outcome.source?.kind).toBe("masquerade");
    expect(formatAddress(outcome.source!.to.addresses![0])).toBe("192.168.0.2");
  });

  it("a destination that becomes local is delivered by input", () => {
    const set = rules({ nat: ["-A PREROUTING -p tcp -m tcp --dport 80 -j DNAT --to-destination 192.168.0.2"] });
    expect(classify(set)).toMatchObject({ way: "local", destination: { port: 80 } });
  });

  it("the interface routed to is tested before translation in output, after it in postrouting", () => {
    const node = new Node(NODE.addresses, [{ value: 0x0a000000, mask: 0xff000000, oif: "pods" }]);
    const set = rules({
      nat: [
        "-A OUTPUT -o eth0 -p tcp -m tcp --dport 80 -j DNAT --to-destination 10.0.0.9",
        "-A POSTROUTING -o pods -j MASQUERADE",
      ],
    });
    const outcome = classify(set, "192.168.0.2:1 172.16.0.1:80", { entrance: "output" }, { node });
    expect(outcome).toMatchObject({ oif: "pods", source: { kind: "masquerade" } });
  });

  it("REDIRECT leads to the node", () => {
    const set = rules({
      nat: ["-A PREROUTING -p tcp -j REDIRECT --to-ports 15001", "-A OUTPUT -p tcp -j REDIRECT --to-ports 15001"],
    });
    expect(classify(set).destination).toEqual({ address: parseAddress("192.168.0.2"), port: 15001 });
    expect(classify(set, FORWARDED, { entrance: "output" }).destination).toEqual({ address: 0x7f000001, port: 15001 });
  });

  it("untracked packets pass no nat chain", () => {
    const set = rules({
      raw: ["-A PREROUTING -j CT --notrack"],
      nat: ["-A PREROUTING -p tcp -j DNAT --to-destination 10.0.0.9"],
    });
    expect(classify(set)).toMatchObject({ notrack: true, verdict: "accept" });
    expect(classify(set).destination).toBeUndefined();
  });
});

describe("marks and connection states", () => {
  it.each([
    ["--set-xmark 0x4000/0x4000", 0xf0, 0x40f0],
    ["--set-xmark 0x4000/0x0", 0x40f0, 0xf0],
    ["--set-mark 0x1", 0xf0, 0x1],
    ["--and-mark 0xf", 0xff, 0xf],
    ["--or-mark 0x80000000", 1, 0x80000001],
    ["--xor-mark 0x3", 0x1, 0x2],
  ])("MARK %s of %i gives %i", (options, before, after) => {
    const set = rules({ mangle: [`-A PREROUTING -j MARK ${options}`] });
    expect(classify(set, FORWARDED, { mark: before }).mark).toBe(after);
  });

  it("before conntrack every packet is invalid to rules", () => {
    const set = rules({
      raw: ["-A PREROUTING -m conntrack --ctstate INVALID -j MARK --set-xmark 0x1/0x1"],
      filter: ["-A FORWARD -m conntrack --ctstate NEW -j DROP"],
    });
    const outcome = classify(set);
    expect([outcome.mark, outcome.verdict]).toEqual([1, "drop"]);
  });

  it("the connection mark is saved and restored", () => {
    const set = rules({
      mangle: [
        "-A PREROUTING -j MARK --set-xmark 0x12/0xff",
        "-A PREROUTING -j CONNMARK --save-mark --nfmask 0xf --ctmask 0xff",
      ],
    });
    expect(classify(set).changes).toEqual([{ kind: "ctmark", mark: 2 }]);
  });
});

describe("statistic", () => {
  const half = rules({
    nat: [
      "-A PREROUTING -m statistic --mode random --probability 0.50000000000 -p tcp -j DNAT --to-destination 10.0.0.8",
      "-A PREROUTING -p tcp -j DNAT --to-destination 10.0.0.9",
    ],
  });

  it("matches below its threshold of 31 bits, and not at it", () => {
    const at = (number: number): number =>
      classify(half, FORWARDED, {}, { draw: () => number }).destination!.address as number;
    expect([at(0), at(2 ** 30 - 1), at(2 ** 30), at(2 ** 31 + 5)]).toEqual([
      0x0a000008, 0x0a000008, 0x0a000009, 0x0a000008,
    ]);
  });

  it("gives exact probabilities", () => {
    const set = rules({
      nat: ["0.33333333349", "0.50000000000"]
        .map(
          (p, i) =>
            `-A PREROUTING -p tcp -m statistic --mode random --probability ${p} -j DNAT --to-destination 10.0.0.${i}`,
        )
        .concat("-A PREROUTING -p tcp -j DNAT --to-destination 10.0.0.2"),
    });
    const found = linearEngine(set)
      .outcomes(packet(FORWARDED), context())
      .outcomes.map(({ probability }) => formatFraction(probability));
    expect(found).toEqual(["715827883/2147483648", "1431655765/4294967296", "1431655765/4294967296"]);
  });

  it("nth counts the packets that reach it", () => {
    const set = rules({ filter: ["-A FORWARD -m statistic --mode nth --every 3 --packet 1 -j DROP"] });
    const memory = new RuleMemory();
    const verdicts = Array.from({ length: 7 }, () => {
      const outcome = classify(set, FORWARDED, {}, { state: memory });
      outcome.changes.forEach((change) => memory.apply(change));
      return outcome.verdict;
    });
    expect(verdicts.map((verdict) => verdict[0]).join("")).toBe("adaadaa");
  });
});

describe("recent", () => {
  const set = rules({
    filter: [
      "-A FORWARD -m recent --rcheck --seconds 10 --reap --name L --mask 255.255.255.255 --rsource -j DROP",
      "-A FORWARD -m recent --set --name L --mask 255.255.255.255 --rsource",
    ],
  });
  const memory = new RuleMemory();
  const at = (seconds: number, client: string): string => {
    const outcome = classify(set, `${client}:1 10.0.0.2:80`, {}, { state: memory, now: seconds * 1000 });
    outcome.changes.forEach((change) => memory.apply(change));
    return outcome.verdict;
  };

  it("remembers for the given seconds, and rcheck does not refresh", () => {
    expect([at(0, "10.1.0.1"), at(9, "10.1.0.1"), at(10, "10.1.0.1"), at(10.001, "10.1.0.1")]).toEqual([
      "accept",
      "drop",
      "drop",
      "accept",
    ]);
  });

  it("forgets the oldest of 101 clients", () => {
    for (let i = 0; i < 101; i++) at(20, `10.2.0.${i}`);
    expect([at(21, "10.2.0.0"), at(21, "10.2.0.100")]).toEqual(["accept", "drop"]);
  });
});

describe("refusals name the line", () => {
  it.each([
    ["an unknown match", "-A FORWARD -m geoip --source-country AT -j DROP", "geoip"],
    ["an ipset that was not given", "-A FORWARD -m set --match-set x src -j DROP", "ipset x"],
  ])("%s", (_, line, word) => {
    const set = rules({ filter: [line] });
    expect(() => classify(set)).toThrow(word);
    try {
      classify(set);
    } catch (thrown) {
      expect((thrown as { problems: { span: { line: number } }[] }).problems[0]!.span.line).toBe(5);
    }
  });

  it("an assumption settles an opaque match", () => {
    const set = rules({ filter: ["-A FORWARD -m geoip --source-country AT -j DROP"] });
    expect(classify(set, FORWARDED, {}, { assume: () => true }).verdict).toBe("drop");
    expect(classify(set, FORWARDED, {}, { assume: () => false }).verdict).toBe("accept");
  });
});
