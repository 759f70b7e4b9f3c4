/** What the checks are worth: how often they find a bias that is there, and how often one that is not. */
import { describe, expect, it } from "vitest";
import { chainwalk, words } from "./command-line.js";

const long = process.env.CHAINWALK_LONG === "1";

interface Repeated {
  readonly rejections: number;
  readonly repeat: number;
  readonly uniformity: { readonly pValue: number };
  readonly pValues: readonly number[];
}

async function repeat(rules: string, line: string): Promise<Repeated> {
  const { stdout, stderr } = await chainwalk(words(`check --rules - --alpha 0.05 --json ${line}`), { "-": rules });
  expect(stderr).toBe("");
  return JSON.parse(stdout) as Repeated;
}

const generate = async (line: string): Promise<string> => (await chainwalk(words(`generate ${line}`))).stdout;

/** Counts are multinomial draws from the exact probabilities of the rules; in the long run every pick goes through the engine. */
const WAYS = long ? ["counts", "packets"] : ["counts"];

describe("200 fair services, 200 seeds", () => {
  for (const draw of WAYS)
    it(
      `${draw}: Holm at 0.05 rejects any of them in 3 to 19 runs, and p-values are uniform`,
      { timeout: 3_600_000 },
      async () => {
        const rules = await generate("--services 200 --endpoints 5 --seed 3");
        const found = await repeat(rules, `--samples 1000 --repeat 200 --seed 1 --draw ${draw}`);
        expect(found.pValues).toHaveLength(200 * 200);
        expect(found.rejections).toBeGreaterThanOrEqual(3);
        expect(found.rejections).toBeLessThanOrEqual(19);
        expect(found.uniformity.pValue).toBeGreaterThan(1e-4);
      },
    );
});

describe("probabilities of five decimals, 1000 endpoints, 50 seeds", () => {
  for (const draw of WAYS)
    it(`${draw}: found in most runs of 4.1e7 connections, seldom in 4.1e6`, { timeout: 3_600_000 }, async () => {
      const rules = await generate("--services 1 --endpoints 1000 --kube-proxy-version v1.12");
      const line = (samples: number): string =>
        `--expect even --samples ${samples} --repeat 50 --seed 1 --draw ${draw}`;
      const [enough, tooFew] = [await repeat(rules, line(41_000_000)), await repeat(rules, line(4_100_000))];
      expect(enough.rejections).toBeGreaterThanOrEqual(33);
      expect(tooFew.rejections).toBeLessThanOrEqual(12);
      // Against the probabilities of the rules there is nothing to find.
      const own = await repeat(rules, `--samples 4100000 --repeat 50 --seed 1 --draw ${draw}`);
      expect(own.uniformity.pValue).toBeGreaterThan(1e-4);
    });
});

describe("picks by the engine", () => {
  it("are fair in small numbers: services, seeds, endpoints", async () => {
    const rules = await generate("--services 20 --endpoints 4 --seed 8");
    const found = await repeat(rules, "--samples 1000 --repeat 10 --seed 1");
    expect(found.pValues).toHaveLength(200);
    expect(found.uniformity.pValue).toBeGreaterThan(1e-4);
  });
});
