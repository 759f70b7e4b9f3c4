import { describe, expect, it } from "vitest";
import { parseAddress } from "../../src/packet/address.js";
import { integerToAddress, intervalOf, mergeIntervals, prefixOf } from "../../src/packet/interval.js";
import { formatPrefix, parsePrefix } from "../../src/packet/prefix.js";
import { baseChainsOf, nftablesDoubts, nftablesLayoutOf } from "../../src/kube/nftables-mode/layout.js";
import { endpointBase, hashAndTruncate, servicePortBase } from "../../src/kube/nftables-mode/names.js";
import { withinAny } from "../../src/kube/nftables-mode/statements.js";

describe("names of nftables mode", () => {
  const port = { namespace: "ns1", service: "svc1", protocolName: "tcp", portName: "p80" };

  it.each([
    [port, "ULMVA6XW-ns1/svc1/tcp/p80"],
    [{ namespace: "f", service: "unnamed-port", protocolName: "tcp", portName: "" }, "C7LUQ5MO-f/unnamed-port/tcp/"],
    [{ namespace: "f", service: "sctp", protocolName: "sctp", portName: "s" }, "DMDDUHRA-f/sctp/sctp/s"],
  ])("service port %#", (one, name) => expect(servicePortBase(one)).toBe(name));

  it("endpoints, with dots for the colons of IPv6", () => {
    expect(endpointBase(port, { text: "10.180.0.1:80" })).toBe("5OJB2KTY-ns1/svc1/tcp/p80__10.180.0.1/80");
    expect(endpointBase(port, { text: "[fd00:10::a]:80" })).toMatch(
      /^[A-Z2-7]{8}-ns1\/svc1\/tcp\/p80__fd00\.10\.\.a\/80$/,
    );
  });

  it("a long one is cut to 240 characters, the last three of them dots", () => {
    const exact = hashAndTruncate("a".repeat(231));
    expect(exact).toMatch(/^[A-Z2-7]{8}-a{231}$/);
    const cut = hashAndTruncate("a".repeat(232));
    expect(cut).toMatch(/^[A-Z2-7]{8}-a{228}\.\.\.$/);
    expect(cut).toHaveLength(240);
    expect(cut.slice(0, 8)).not.toBe(exact.slice(0, 8));
  });
});

describe("layouts of nftables mode", () => {
  it.each([
    ["v1.29", { filter: "pre-dnat", interfaces: "iif", masqueradeTestsPort: true, masquerade: "chain" }],
    ["v1.30.3", { filter: "pre-dnat", interfaces: "iif", masqueradeTestsPort: true, replacesElements: false }],
    ["v1.31", { firewallComments: true, replacesElements: false }],
    ["v1.32", { filter: "pre-dnat", interfaces: "iif", firewallComments: false, replacesElements: true }],
    ["1.33.5", { filter: "pre-dnat", interfaces: "iif", masqueradeTestsPort: true, replacesElements: true }],
    ["v1.33.6", { filter: "post-dnat", interfaces: "iif", masqueradeTestsPort: true }],
    ["v1.33", { filter: "post-dnat", interfaces: "iifname", masqueradeTestsPort: true }],
    ["v1.34.0", { filter: "post-dnat", interfaces: "iif", masqueradeTestsPort: false, endpointChains: "all" }],
    ["v1.35", { filter: "post-dnat", interfaces: "iifname", masquerade: "chain" }],
    ["v1.36", { masquerade: "hairpin-set", endpointChains: "affinity", directToOne: false }],
    ["current", { version: "v1.36" }],
    ["v1.37", { masquerade: "hairpin-set", directToOne: true }],
  ])("%s", (version, switches) => expect(nftablesLayoutOf(version)).toMatchObject(switches));

  it.each(["v1.28", "v1.17", "v1.12"])("%s has no nftables mode", (version) =>
    expect(() => nftablesLayoutOf(version)).toThrow("the oldest with it is v1.29"),
  );

  it.each(["1.x", "nftables", "v2.30"])("%s is no version", (version) =>
    expect(() => nftablesLayoutOf(version)).toThrow("is no version of kube-proxy"),
  );

  it("says what is not verified", () => {
    const doubts = (version: string): number => nftablesDoubts(nftablesLayoutOf(version)).length;
    expect(["v1.29", "v1.30", "v1.35", "v1.36", "v1.37"].map(doubts)).toEqual([1, 0, 0, 1, 1]);
  });

  it("law: every base chain jumps somewhere, and the reject is reached from input, forward and output", () => {
    for (const version of ["v1.30", "v1.34", "v1.36"]) {
      const chains = baseChainsOf(nftablesLayoutOf(version));
      expect(chains.every(({ jumps }) => jumps.length > 0)).toBe(true);
      const hooks = chains
        .filter(({ jumps }) => jumps.includes("service-endpoints-check"))
        .map(({ base }) => base.hook);
      expect(hooks).toEqual(["input", "forward", "output"]);
    }
  });
});

describe("addresses in braces, as nft 1.0.6 lists them", () => {
  it.each([
    ["0.0.0.0/0", "0.0.0.0/0"],
    ["1.2.3.4/32", "1.2.3.4/32"],
    ["1.2.3.6/32 1.2.3.7/32", "{ 1.2.3.6/32, 1.2.3.7/32 }"],
    ["1.2.3.4/32 1.2.3.4/32", "{ 1.2.3.4/32 }"],
    ["10.0.0.0/8 10.1.0.0/16", "{ 10.0.0.0/8 }"],
    ["10.0.0.0/9 10.128.0.0/9", "{ 10.0.0.0/8 }"],
    ["203.0.113.0/25 192.168.0.0/24 1.2.3.6/32 1.2.3.7/32", "{ 1.2.3.6/31, 192.168.0.0/24, 203.0.113.0/25 }"],
    ["10.0.0.0/30 1.2.3.5/32 1.2.3.6/32 1.2.3.7/32", "{ 1.2.3.5-1.2.3.7, 10.0.0.0/30 }"],
    ["255.255.255.255/32 128.0.0.0/1", "{ 128.0.0.0/1 }"],
    ["fd00::/8 fd00:1::/32", "{ fd00::/8 }"],
    ["::/1 8000::/1 1::/16", "{ ::/0 }"],
  ])("%s", (texts, expected) => {
    const prefixes = texts.split(" ").map((text) => parsePrefix(text)!);
    const family = texts.includes(":") ? "ip6" : "ip";
    const match = withinAny("saddr", family, prefixes, true);
    expect(match).toMatchObject({ negate: true });
    const show = (part: unknown): string => {
      const one = part as { first?: bigint; last?: bigint } & Parameters<typeof formatPrefix>[0];
      return one.first === undefined
        ? formatPrefix(one)
        : [one.first, one.last].map((end) => formatAddressOf(end)).join("-");
    };
    const shown =
      match.kind === "lookup" && typeof match.set !== "string"
        ? `{ ${match.set.map(({ key }) => show(key[0])).join(", ")} }`
        : show(match);
    expect(shown).toBe(expected);
  });

  it("law: an interval and its prefix are the same addresses", () => {
    for (const text of ["10.0.0.0/8", "0.0.0.0/0", "1.2.3.4/32", "fd00:10::/64", "::/0", "::1/128"]) {
      const prefix = parsePrefix(text)!;
      const family = text.includes(":") ? "ip6" : "ip";
      expect(prefixOf(intervalOf(prefix), family)).toEqual(prefix);
      expect(integerToAddress(intervalOf(prefix).first, family)).toEqual(prefix.value);
    }
    expect(prefixOf({ first: 1n, last: 2n }, "ip")).toBeUndefined();
    expect(
      mergeIntervals([
        { first: 5n, last: 6n },
        { first: 1n, last: 3n },
        { first: 4n, last: 4n },
      ]),
    ).toEqual([{ first: 1n, last: 6n }]);
    expect(parseAddress("0.0.0.1")).toBe(integerToAddress(1n, "ip"));
  });
});

function formatAddressOf(end: unknown): string {
  return formatPrefix({ value: end as number, mask: 0xffffffff }).replace("/32", "");
}
