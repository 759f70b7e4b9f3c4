import { describe, expect, it } from "vitest";
import { chainwalk, NGINX_RULES, words } from "./command-line.js";

interface Check {
  readonly samples: number;
  readonly chiSquare: number;
  readonly degreesOfFreedom: number;
  readonly pValue: number;
  readonly passed: boolean;
  readonly cells: readonly {
    readonly to: string;
    readonly p: string;
    readonly expected: number;
    readonly observed: number;
  }[];
}

const check = (rest: string, rules = NGINX_RULES): ReturnType<typeof chainwalk> =>
  chainwalk(words(`check --rules ${rules} ${rest}`));

describe("check", () => {
  for (const engine of ["linear", "indexed"])
    it(`finds the picks of ${engine} fair, and counts every one`, async () => {
      const { stdout, exitCode } = await check(`--service default/nginx --samples 20001 --engine ${engine} --json`);
      const { cells, samples, degreesOfFreedom, pValue, passed, chiSquare } = JSON.parse(stdout) as Check;
      expect({ exitCode, samples, degreesOfFreedom, passed }).toEqual({
        exitCode: 0,
        samples: 20001,
        degreesOfFreedom: 1,
        passed: true,
      });
      expect(cells.map(({ to, p }) => [to, p])).toEqual([
        ["172.16.2.125:80", "1/2"],
        ["172.16.2.229:80", "1/2"],
      ]);
      expect(cells.reduce((sum, { observed }) => sum + observed, 0)).toBe(samples);
      const statistic = cells.reduce((sum, { expected, observed }) => sum + (observed - expected) ** 2 / expected, 0);
      expect(chiSquare).toBeCloseTo(statistic, 9);
      expect(pValue).toBeGreaterThan(0.001);
    });

  it("counts another seed's picks, and the same seed's the same", async () => {
    const ask = async (seed: number): Promise<string> =>
      (await check(`--service nginx --samples 999 --seed ${seed} --json`)).stdout;
    expect(await ask(5)).toBe(await ask(5));
    expect((JSON.parse(await ask(5)) as Check).cells).not.toEqual((JSON.parse(await ask(6)) as Check).cells);
  });

  it("answers no, exit code 1, where the p-value is below alpha", async () => {
    const { exitCode, stdout } = await check("--service nginx --samples 1001 --alpha 1");
    expect(exitCode).toBe(1);
    expect(stdout).toContain("do NOT follow");
  });

  it("draws a bar for each endpoint", async () => {
    const { stdout } = await check("--service nginx --samples 50000 --seed 2");
    await expect(stdout).toMatchFileSnapshot("../golden/cli-check.txt");
  });

  it("has nothing to test where one outcome is possible", async () => {
    const { stdout: rules } = await chainwalk(words("generate --services 1 --endpoints 1"));
    const { stdout: list } = await chainwalk(words("services --rules - --json"), { "-": rules });
    const [{ namespace, name }] = JSON.parse(list) as [{ namespace: string; name: string }];
    const { stdout, exitCode } = await chainwalk(words(`check --rules - --service ${namespace}/${name}`), {
      "-": rules,
    });
    expect(exitCode).toBe(0);
    expect(stdout).toContain("nothing to test");
  });

  it("tests hundreds of uneven endpoints of a weighted pick", async () => {
    const { stdout: rules } = await chainwalk(
      words("generate --services 1 --endpoints 300 --kube-proxy-version v1.12"),
    );
    const { stdout: list } = await chainwalk(words("services --rules - --json"), { "-": rules });
    const [{ namespace, name }] = JSON.parse(list) as [{ namespace: string; name: string }];
    const line = `check --rules - --service ${namespace}/${name} --samples 100000 --json`;
    const { cells, degreesOfFreedom, passed } = JSON.parse(
      (await chainwalk(words(line), { "-": rules })).stdout,
    ) as Check;
    expect({ cells: cells.length, degreesOfFreedom, passed }).toEqual({
      cells: 300,
      degreesOfFreedom: 299,
      passed: true,
    });
  });
});
