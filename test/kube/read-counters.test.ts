import { describe, expect, it } from "vitest";
import { countedChoices } from "../../src/kube/read-counters.js";
import { readRules } from "../../src/syntax/read.js";
import { nat, service } from "../lint/rules.js";

/** The text with counters before its rules: those of the given lines, [0:0] else. */
function counted(text: string, counters: (line: string) => number): string {
  return text.replace(/^-A .*$/gm, (line) => `[${counters(line)}:${counters(line) * 60}] ${line}`);
}

const TEXT = nat(
  ...service(1, [
    ["0.33333333349", 1],
    ["0.50000000000", 2],
    [null, 3],
  ]),
);
const SVC = `KUBE-SVC-${"B".repeat(16)}`;

describe("counted choices", () => {
  it("are the counters of the rules that draw", () => {
    const text = counted(TEXT, (line) => Number(/KUBE-SVC-.* KUBE-SEP-(\d)$/.exec(line)?.[1] ?? 0) * 10);
    expect(countedChoices(readRules(text).ruleset!)).toEqual([
      {
        chain: SVC,
        service: "ns/s1:http",
        local: false,
        byAffinity: 0,
        endpoints: [
          { to: "10.0.0.1:8080", share: 715827883 / 2 ** 31, packets: 10 },
          { to: "10.0.0.2:8080", share: (1 - 715827883 / 2 ** 31) / 2, packets: 20 },
          { to: "10.0.0.3:8080", share: (1 - 715827883 / 2 ** 31) / 2, packets: 30 },
        ],
        mixed: false,
      },
    ]);
  });

  it("leave out what session affinity led back", () => {
    const rule = `-A ${SVC} -m recent --rcheck --seconds 600 --reap --name KUBE-SEP-1 --rsource -j KUBE-SEP-1`;
    const text = counted(TEXT.replace(`-A ${SVC}`, `${rule}\n-A ${SVC}`), (line) =>
      line.includes("recent") ? 500 : 3,
    );
    const [choice] = countedChoices(readRules(text).ruleset!)!;
    expect(choice!.byAffinity).toBe(500);
    expect(choice!.endpoints.map((endpoint) => endpoint.packets)).toEqual([3, 3, 3]);
  });

  it("need counters; a choice of another kind is passed over", () => {
    expect(countedChoices(readRules(TEXT).ruleset!)).toBeUndefined();
    const other = counted(TEXT.replace(`-A ${SVC} -m`, `-A ${SVC} -s 10.0.0.0/8 -m`), () => 1);
    expect(countedChoices(readRules(other).ruleset!)).toEqual([]);
  });

  it("of what the rules take, where the last one is missing", () => {
    const text = counted(TEXT.replace(/-A KUBE-SVC-\S+ -j KUBE-SEP-3\n/, ""), () => 5);
    const [choice] = countedChoices(readRules(text).ruleset!)!;
    expect(choice!.endpoints.map(({ share }) => Number(share.toFixed(6)))).toEqual([0.5, 0.5]);
  });
});

/** A service of nftables mode, with counters in the chains of its endpoints. */
const NFT = `table ip kube-proxy {
  set affinity-E3 { type ipv4_addr; flags dynamic,timeout; timeout 3h; }
  chain service-AAAAAAAA-ns/a/tcp/http {
    numgen random mod 2 vmap { 0 : goto endpoint-1, 1 : goto endpoint-2 }
  }
  chain service-BBBBBBBB-ns/b/tcp/ {
    ip saddr @affinity-E3 goto endpoint-3
    numgen random mod 1 vmap { 0 : goto endpoint-3 }
  }
  chain endpoint-1 {
    ip saddr 10.0.0.1 jump mark-for-masquerade
    meta l4proto tcp counter packets 41 bytes 2460 dnat to 10.0.0.1:8080
  }
  chain endpoint-2 { meta l4proto tcp counter packets 39 bytes 2340 dnat to 10.0.0.2:8080; }
  chain endpoint-3 { update @affinity-E3 { ip saddr }; meta l4proto tcp counter packets 7 bytes 420 dnat to 10.0.0.3:8080; }
  chain mark-for-masquerade { meta mark set meta mark or 0x4000; }
}
`;

describe("counted choices of nftables mode", () => {
  it("are the counters of the endpoints' chains; with session affinity they hold more than picks", () => {
    const { ruleset, problems } = readRules(NFT);
    expect(problems.filter(({ severity }) => severity === "error")).toEqual([]);
    expect(countedChoices(ruleset!)).toEqual([
      {
        chain: "service-AAAAAAAA-ns/a/tcp/http",
        service: "ns/a:http",
        local: false,
        byAffinity: 0,
        mixed: false,
        endpoints: [
          { to: "10.0.0.1:8080", share: 0.5, packets: 41 },
          { to: "10.0.0.2:8080", share: 0.5, packets: 39 },
        ],
      },
      expect.objectContaining({ service: "ns/b", mixed: true }),
    ]);
  });

  it("are none where kube-proxy's rules are as it wrote them", () => {
    const plain = NFT.replace(/counter packets \d+ bytes \d+ /g, "");
    expect(countedChoices(readRules(plain).ruleset!)).toBeUndefined();
  });
});
