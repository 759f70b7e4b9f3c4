import { describe, expect, it } from "vitest";
import { nat, service } from "../lint/rules.js";
import { chainwalk, words } from "./command-line.js";

interface Choice {
  readonly name: string;
  readonly endpoints: number;
  readonly largestDeviation: number;
  readonly effect: number;
  readonly needed: number | null;
  readonly found: number | null;
  readonly smallestBias: number | null;
}

async function power(line: string, rules?: string): Promise<readonly Choice[]> {
  const { stdout, exitCode, stderr } = await chainwalk(
    words(`power ${line} --json`),
    rules === undefined ? {} : { "-": rules },
  );
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
  return (JSON.parse(stdout) as { choices: readonly Choice[] }).choices;
}

describe("power", () => {
  it.each([
    [320, "2.0e+8"],
    [1000, "4.1e+7"],
    [5000, "3.7e+6"],
    [10_000, "1.3e+6"],
  ])("of a dump with five decimals and %d endpoints: %s connections", async (n, needed) => {
    const { stdout: rules } = await chainwalk(
      words(`generate --services 1 --endpoints ${n} --kube-proxy-version v1.12`),
    );
    const [choice] = await power("--rules -", rules);
    expect(choice!.needed!.toExponential(1)).toBe(needed);
    const [named] = await power(`--endpoints ${n} --mechanism statistic-5`);
    expect(named!.needed! / choice!.needed!).toBeCloseTo(1, 9);
  });

  it("of a bias of a given size, and what a number of connections finds", async () => {
    const [choice] = await power("--endpoints 5 --bias 0.01 --connections 480000");
    // w^2 = B^2 / (n - 1); the noncentrality for 4 degrees of freedom is 11.9352858377.
    expect(choice!.effect).toBeCloseTo(0.0001 / 4, 12);
    expect(choice!.needed! * choice!.effect).toBeCloseTo(11.9352858377, 8);
    expect(choice!.found).toBeGreaterThan(0.8);
    expect(choice!.smallestBias).toBeLessThan(0.01);
    const [again] = await power(`--endpoints 5 --bias ${choice!.smallestBias!.toPrecision(12)} --connections 480000`);
    expect(again!.found).toBeCloseTo(0.8, 8);
  });

  it("of rules: an even choice cannot be told, an uneven one soon", async () => {
    const text = nat(
      ...service(1, [
        ["0.50000000000", 1],
        [null, 2],
      ]),
      ...service(2, [
        ["0.33333333349", 3],
        ["0.50000000000", 4],
        [null, 4],
      ]),
    );
    const choices = await power("--rules -", text);
    expect(
      choices.map(({ name, endpoints, needed }) => [name, endpoints, needed === null ? null : Math.ceil(needed)]),
    ).toEqual([
      ["ns/s1:http", 2, null],
      // One of two endpoints listed twice gets 2/3: w^2 = 1/9, 7.8489 * 9 connections.
      ["ns/s2:http", 2, 71],
    ]);
    expect(await power("--rules - --service ns/s2", text)).toEqual([choices[1]]);
    const { stdout } = await chainwalk(words("power --rules - --connections 100"), { "-": text });
    await expect(stdout).toMatchFileSnapshot("../golden/cli-power.txt");
  });

  it("refuses what does not go together", async () => {
    for (const wrong of [
      "",
      "--endpoints 5",
      "--endpoints 5 --bias 0.1 --mechanism numgen",
      "--endpoints 1 --bias 0.1",
      "--rules - --endpoints 5",
      "--endpoints 5 --bias 0.1 --alpha 0.9",
      "--endpoints 5 --bias 0.1 --alpha 0",
      "--endpoints 5 --bias 0.1 --service x",
      "--endpoints 5 --mechanism dice",
    ]) {
      const { exitCode, stdout, stderr } = await chainwalk(words(`power ${wrong}`), { "-": nat() });
      expect({ wrong, exitCode, stdout }).toEqual({ wrong, exitCode: 2, stdout: "" });
      expect(stderr).toMatch(/^chainwalk: /);
    }
  });
});
