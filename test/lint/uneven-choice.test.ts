import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decimalsOf, evenThreshold, largestBias, shareLeft, shares } from "../../src/kube/choice-precision.js";
import { findingsIn, nat, service, summaries } from "./rules.js";

const found = (rules: Parameters<typeof service>[1]): string[] => summaries(nat(...service(1, rules)), "uneven-choice");
const SVC = "KUBE-SVC-BBBBBBBBBBBBBBBB (ns/s1:http)";

describe("uneven-choice", () => {
  it.each<[string, Parameters<typeof service>[1]]>([
    ["one endpoint", [[null, 1]]],
    [
      "two",
      [
        ["0.50000000000", 1],
        [null, 2],
      ],
    ],
    [
      "three, ten decimals",
      [
        ["0.33333333349", 1],
        ["0.50000000000", 2],
        [null, 3],
      ],
    ],
    [
      "six decimals, as old listings show them",
      [
        ["0.333333", 1],
        ["0.500000", 2],
        [null, 3],
      ],
    ],
    [
      "seven",
      [
        ["0.14285714272", 1],
        ["0.16666666651", 2],
        ["0.20000000019", 3],
        ["0.25", 4],
        ["0.33333333349", 5],
        ["0.5", 6],
        [null, 7],
      ],
    ],
  ])("even: %s", (_, rules) => {
    expect(found(rules)).toEqual([]);
  });

  it("five decimals: names the era and the bias", () => {
    expect(
      found([
        ["0.33332999982", 1],
        ["0.50000000000", 2],
        [null, 3],
      ]),
    ).toEqual([
      `info: ${SVC}: probabilities of five decimals, as kube-proxy v1.16 and older wrote them (until October 2019): the largest deviation from 1/3 is 0.001 %`,
    ]);
  });

  it("absolute instead of sequential probabilities", () => {
    expect(
      found([
        ["0.33333333349", 1],
        ["0.33333333349", 2],
        [null, 3],
      ]),
    ).toEqual([
      `warning: ${SVC}: every rule has probability 1/3, but a rule only sees the packets that the rules before it left: probabilities are of what is left, not of all; 10.0.0.3:8080 gets 44.4 %, 10.0.0.2:8080 22.2 %`,
    ]);
    expect(
      found([
        ["0.33333333349", 1],
        ["0.33333333349", 2],
        ["0.33333333349", 3],
      ])[0],
    ).toContain("29.6 % of the connections get no endpoint at all");
  });

  it("the wrong order", () => {
    expect(
      found([
        ["0.50000000000", 1],
        ["0.33333333349", 2],
        [null, 3],
      ]),
    ).toEqual([`warning: ${SVC}: the rules stand in the wrong order; 10.0.0.1:8080 gets 50 %, 10.0.0.2:8080 16.7 %`]);
  });

  it("a rule without a draw that is not the last", () => {
    expect(
      found([
        ["0.25000000000", 1],
        [null, 2],
        ["0.25000000000", 3],
        [null, 4],
      ]),
    ).toEqual([
      `warning: ${SVC}: rule 2 has no draw, so the 2 rules behind it never match; 10.0.0.2:8080 gets 75 %, 10.0.0.4:8080 0 %`,
    ]);
  });

  it("missing rules: the last, one in between", () => {
    expect(
      found([
        ["0.33333333349", 1],
        ["0.50000000000", 2],
      ]),
    ).toEqual([
      `error: ${SVC}: a rule is missing: the first rule takes 1/3, but there are only 2; 10.0.0.1:8080 gets 33.3 %, 10.0.0.2:8080 33.3 %; 33.3 % of the connections get no endpoint at all`,
    ]);
    expect(
      found([
        ["0.25000000000", 1],
        ["0.50000000000", 2],
        [null, 3],
      ]),
    ).toEqual([
      `warning: ${SVC}: a rule is missing: the first rule takes 1/4, but there are only 3; 10.0.0.2:8080 gets 37.5 %, 10.0.0.1:8080 25 %`,
    ]);
    expect(found([["0.50000000000", 1]])[0]).toMatch(/^error: .*50 % of the connections get no endpoint/);
  });

  it("an endpoint listed twice, weights of one's own", () => {
    expect(
      found([
        ["0.33333333349", 1],
        ["0.50000000000", 2],
        [null, 2],
      ]),
    ).toEqual([`warning: ${SVC}: 10.0.0.2:8080 is listed twice; 10.0.0.2:8080 gets 66.7 %, 10.0.0.1:8080 33.3 %`]);
    expect(
      found([
        ["0.90000000000", 1],
        [null, 2],
      ])[0],
    ).toContain("not those of an even choice; 10.0.0.1:8080 gets 90 %");
  });

  it("points at the first wrong rule, and says what would be right", () => {
    const text = nat(
      ...service(1, [
        ["0.33333333349", 1],
        ["0.33333333349", 2],
        [null, 3],
      ]),
    );
    const [finding] = findingsIn(text);
    expect(text.split("\n")[finding!.place.span!.line - 1]).toMatch(/0\.33333333349 -j KUBE-SEP-2$/);
    expect(finding!.right).toBe("probabilities 1/3, 1/2, and no draw in the last rule");
  });

  it("is silent where rules ask for more than a draw, and where chains are not kube-proxy's", () => {
    const svc = "KUBE-SVC-BBBBBBBBBBBBBBBB";
    const text = nat(
      ...service(1, [
        ["0.9", 1],
        [null, 2],
      ]),
    ).replace(`-A ${svc} -m`, `-A ${svc} -s 10.0.0.0/8 -m`);
    expect(summaries(text, "uneven-choice")).toEqual([]);
    expect(summaries(text.replaceAll("KUBE-SVC", "CANARY"), "uneven-choice")).toEqual([]);
  });
});

describe("the precision of a choice", () => {
  const sequence = (n: number, decimals: 5 | 10): number[] =>
    Array.from({ length: n }, (_, i) => evenThreshold(n - i, decimals));

  it("is found again from the thresholds", () => {
    fc.assert(
      fc.property(fc.integer({ min: 3, max: 3000 }), (n) => {
        expect(decimalsOf(sequence(n, 10))).toBe(10);
        expect(decimalsOf(sequence(n, 5))).toBe(5);
      }),
      { numRuns: 60 },
    );
  });

  // The largest deviation from 1/n: 0.16 %, 0.50 %, 2.5 %, 4.9 %.
  it.each([
    [320, 0.0016],
    [1000, 0.00496],
    [5000, 0.0247],
    [10000, 0.0488],
  ])("five decimals, %d endpoints: bias %d", (n, bias) => {
    expect(largestBias(shares(sequence(n, 5)))).toBeCloseTo(bias, 4);
    expect(largestBias(shares(sequence(n, 10)))).toBeLessThan(3e-6);
  });

  it("shares and what is left sum to one", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 2 ** 31 }), { maxLength: 40 }), (thresholds) => {
        const sum = shares(thresholds).reduce((a, b) => a + b, shareLeft(thresholds));
        expect(sum).toBeCloseTo(1, 12);
      }),
    );
  });
});
