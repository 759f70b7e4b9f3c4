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
          { to: "10.0.0.1:8080", address: 0x0a000001, threshold: 715827883, packets: 10 },
          { to: "10.0.0.2:8080", address: 0x0a000002, threshold: 1073741824, packets: 20 },
          { to: "10.0.0.3:8080", address: 0x0a000003, threshold: 2147483648, packets: 30 },
        ],
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
});
