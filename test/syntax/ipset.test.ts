import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { prefixMask } from "../../src/packet/prefix.js";
import { readIpSets } from "../../src/syntax/ipset.js";

const golden = readFileSync(new URL("../golden/iptables/ipset.save", import.meta.url), "utf8");
const host = { mask: 0xffffffff };

describe("ipset save", () => {
  const { sets, problems } = readIpSets(golden);
  const elements = (name: string): unknown => sets?.find((set) => set.name === name)?.elements;

  it("what ipset 7.17 prints is read", () => {
    expect(problems).toEqual([]);
    expect(sets?.map(({ name, type, family }) => `${name} ${type} ${family}`)).toEqual([
      "S1 hash:ip ip",
      "S2 hash:ip,port ip",
      "S6 hash:ip ip6",
      "HIP hash:ip ip",
      "HIP24 hash:ip ip",
      "HNET hash:net ip",
      "HIPP hash:ip,port ip",
      "HIPP6 hash:ip,port ip6",
      "HIPPI hash:ip,port,ip ip",
      "HIPPN hash:ip,port,net ip",
      "HNP hash:net,port ip",
    ]);
  });

  it("addresses, prefixes, exceptions, netmasks", () => {
    expect(elements("HIP")).toEqual([0x0a000001, 0x0a000002].map((value) => ({ parts: [{ value, ...host }] })));
    expect(elements("HIP24")).toEqual([{ parts: [{ value: 0x0a000100, mask: 0xffffff00 }] }]);
    expect(elements("HNET")).toEqual([
      { parts: [{ value: 0x01020304, ...host }] },
      { parts: [{ value: 0x0a000000, mask: 0xff000000 }] },
      { parts: [{ value: 0x0a010000, mask: 0xffff0000 }], nomatch: true },
    ]);
  });

  it("ports with their protocol; ICMP types as type * 256 + code", () => {
    const ports = (elements("HIPP") as { parts: unknown[] }[]).map(({ parts }) => parts[1]);
    expect(ports).toEqual([
      { protocol: 47, first: 0, last: 0 },
      { protocol: 132, first: 99, last: 99 },
      { protocol: 1, first: 0x301, last: 0x301 },
      { protocol: 17, first: 53, last: 53 },
      { protocol: 1, first: 0x800, last: 0x800 },
      { protocol: 1, first: 77 * 256 + 3, last: 77 * 256 + 3 },
      { protocol: 6, first: 80, last: 80 },
    ]);
    expect(elements("HIPP6")).toEqual([
      {
        parts: [
          { value: [0xfd000000, 0, 0, 1], mask: prefixMask("ip6", 128) },
          { protocol: 58, first: 128 * 256, last: 128 * 256 },
        ],
      },
      {
        parts: [
          { value: [0xfd000000, 0, 0, 1], mask: prefixMask("ip6", 128) },
          { protocol: 6, first: 80, last: 80 },
        ],
      },
    ]);
  });

  it("a port bitmap takes any protocol", () => {
    const read = readIpSets("create P bitmap:port range 0-65535\nadd P 80\n");
    expect(read.sets?.[0]?.elements).toEqual([{ parts: [{ protocol: null, first: 80, last: 80 }] }]);
  });

  it("what cannot be evaluated is left out, and said", () => {
    const read = readIpSets(
      "create L list:set size 8\nadd L S\ncreate N hash:net,iface\nadd N 10.0.0.0/8,physdev:eth0\nadd N 10.0.0.0/8,eth1\n",
    );
    expect(read.sets).toEqual([]);
    expect(read.problems.map(({ code, severity, span }) => [code, severity, span?.line])).toEqual([
      ["set-left-out", "warning", 1],
      ["set-left-out", "warning", 4],
    ]);
  });

  it.each([
    ["add S 10.0.0.1", "set S is not created before this line"],
    ["create S hash:ip\nadd S 10.0.0.300", '"10.0.0.300" is no IPv4 address, which S holds'],
    [
      "create S hash:ip\nadd S 10.0.0.1,tcp:80",
      'an element of hash:ip has 1 parts with commas between, not "10.0.0.1,tcp:80"',
    ],
    [
      "create S hash:ip,port\nadd S 10.0.0.1,tcp:70000",
      '"70000" is no port from 0 to 65535, nor a range FIRST-LAST of them',
    ],
    ["create S hash:ip wild", 'unknown word "wild" after the create of S'],
    ["create S hash:ip\ncreate S hash:ip", "set S is created twice"],
    ["flush S", 'expected "create NAME TYPE ..." or "add NAME ELEMENT ...", as ipset save prints them'],
    ["", "the input holds no sets: the output of ipset save is expected"],
  ])("%s: %s", (text, message) => {
    const read = readIpSets(text);
    expect(read.sets).toBeUndefined();
    expect(read.problems.map((problem) => problem.message)).toEqual([message]);
    expect(read.problems[0]!.span?.line).toBe(Math.max(1, text.split("\n").length));
  });
});
