import { describe, expect, it } from "vitest";
import { nat, service } from "../lint/rules.js";
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

  it("says what else speaks of the picks: G-test, the largest deviation, pooled cells", async () => {
    const { stdout: rules } = await chainwalk(words("generate --services 1 --endpoints 30 --seed 5"));
    const line = words("check --rules - --samples 120 --json");
    const result = JSON.parse((await chainwalk(line, { "-": rules })).stdout) as Check & Extras;
    expect(result.gTest.pValue).toBeGreaterThan(1e-6);
    // 120 picks are 4 for each endpoint: two by two they expect enough.
    expect(result.pooled.length).toBeGreaterThan(10);
    expect(result.pooled.flat()).toHaveLength(30);
    expect(result.degreesOfFreedom).toBe(result.pooled.length - 1);
    expect(Math.abs(result.largestDeviation.standardDeviations)).toBeLessThan(6);
    const text = await chainwalk(words("check --rules - --samples 120"), { "-": rules });
    expect(text.stdout).toContain("30 cells that expect few picks are pooled");
    expect(text.stdout).toMatch(/largest deviation .* and \d more, pooled: /);
  });

  it("refuses what does not go together", async () => {
    for (const wrong of [
      "--service default/nginx --packets-per-connection fixed:3",
      "--service default/nginx --by packet --repeat 3",
      "--service default/nginx --by packet --draw counts",
      "--service default/nginx --by packet --packets-per-connection cauchy:1",
      "--service default/nginx --by packet --samples 1000001",
      "--service nobody",
      "--counters x",
      "--repeat 1",
    ]) {
      const { exitCode, stdout, stderr } = await check(wrong);
      expect({ wrong, exitCode, stdout }).toEqual({ wrong, exitCode: 2, stdout: "" });
      expect(stderr).toMatch(/^chainwalk: /);
    }
    expect((await chainwalk(words("check --service default/nginx"))).stderr).toContain("--rules or --counters");
  });
});

interface Extras {
  readonly gTest: { readonly statistic: number; readonly pValue: number };
  readonly largestDeviation: {
    readonly to: readonly string[];
    readonly relative: number;
    readonly standardDeviations: number;
  };
  readonly pooled: readonly (readonly string[])[];
}

/** Rules whose first endpoint takes half instead of a third. */
const UNEVEN = nat(
  ...service(1, [
    ["0.50000000000", 1],
    ["0.50000000000", 2],
    [null, 3],
  ]),
  ...service(2, [
    ["0.33333333349", 4],
    ["0.50000000000", 5],
    [null, 6],
  ]),
);

describe("check of several services", () => {
  it("adjusts for their number, and names those that do not follow", async () => {
    const files = { "uneven.save": UNEVEN };
    const line = "check --rules uneven.save --samples 3000 --json";
    interface Many {
      readonly passed: boolean;
      readonly services: readonly (Check & { readonly service: string; readonly adjustedPValue: number })[];
    }
    const byRules = await chainwalk(words(line), files);
    expect(byRules.exitCode).toBe(0);
    const even = await chainwalk(words(`${line} --expect even`), files);
    expect(even.exitCode).toBe(1);
    const { passed, services } = JSON.parse(even.stdout) as Many;
    expect(passed).toBe(false);
    expect(services.map(({ service: name, adjustedPValue }) => [name, adjustedPValue < 1e-6])).toEqual([
      ["ns/s1:http", true],
      ["ns/s2:http", false],
    ]);
    // Holm: twice the smaller one, and the larger one as it is, unless that would change their order.
    expect(services[0]!.adjustedPValue / services[0]!.pValue).toBeCloseTo(2, 9);
    const named = await chainwalk(words(`${line} --expect even --service ns/s1 --service ns/s2`), files);
    expect(named.stdout).toBe(even.stdout);
    const text = (await chainwalk(words("check --rules uneven.save --samples 3000 --expect even"), files)).stdout;
    expect(text).toContain("the picks of 1 do NOT follow the probabilities");
  });

  it("draws of different services are independent: equal services get different picks", async () => {
    const { stdout: rules } = await chainwalk(words("generate --services 4 --endpoints 3 --seed 5"));
    const { stdout } = await chainwalk(words("check --rules - --samples 4000 --json"), { "-": rules });
    const { services } = JSON.parse(stdout) as { services: readonly Check[] };
    expect(new Set(services.map(({ cells }) => JSON.stringify(cells.map(({ observed }) => observed)))).size).toBe(4);
  });
});

describe("check --by packet", () => {
  it("shows even picks, uneven packets, and what takes the difference out", async () => {
    const line =
      "--service default/nginx --by packet --packets-per-connection pareto:1.1 --samples 2000 --seed 3 --json";
    const { stdout, exitCode } = await check(line);
    interface Traffic {
      readonly picks: number;
      readonly packets: number;
      readonly designEffect: number;
      readonly picksTest: { readonly pValue: number };
      readonly packetsTest: { readonly pValue: number };
      readonly correctedTest: { readonly pValue: number };
      readonly cells: readonly { readonly picks: number; readonly connections: number; readonly packets: number }[];
    }
    const traffic = JSON.parse(stdout) as Traffic;
    expect(exitCode).toBe(0);
    expect(traffic.picks).toBe(2000);
    expect(traffic.cells.reduce((sum, { packets }) => sum + packets, 0)).toBe(traffic.packets);
    expect(traffic.picksTest.pValue).toBeGreaterThan(0.001);
    expect(traffic.packetsTest.pValue).toBeLessThan(1e-10);
    expect(traffic.correctedTest.pValue).toBeGreaterThan(0.001);
    const text = await check(line.replace(" --json", ""));
    await expect(text.stdout).toMatchFileSnapshot("../golden/cli-check-packets.txt");
  });

  it("with session affinity the clients are the picks", async () => {
    const { stdout: rules } = await chainwalk(words("generate --services 1 --endpoints 3 --affinity 1 --seed 2"));
    for (const engine of ["linear", "indexed"]) {
      const line = `check --rules - --clients 30 --samples 600 --json --engine ${engine}`;
      const { stdout } = await chainwalk(words(line), { "-": rules });
      expect(JSON.parse(stdout)).toMatchObject({ picks: 30, packets: 600, connections: 600, clients: 30 });
    }
  });
});

describe("check --counters", () => {
  /** Counters of the rules that draw: the k-th of a chain. */
  const counted = (counts: Readonly<Record<string, readonly number[]>>): string => {
    const seen = new Map<string, number>();
    return UNEVEN.replace(/^-A (\S+) .*$/gm, (line, chain: string) => {
      const at = seen.get(chain) ?? 0;
      seen.set(chain, at + 1);
      const count = counts[chain]?.[at] ?? 0;
      return `[${count}:${count * 60}] ${line}`;
    });
  };
  const [ONE, TWO] = ["B", "C"].map((letter) => `KUBE-SVC-${letter.repeat(16)}`) as [string, string];

  it("tests the picks that were made against the probabilities of the rules, not against even shares", async () => {
    const ask = (one: readonly number[], two: readonly number[], more = ""): ReturnType<typeof chainwalk> =>
      chainwalk(words(`check --counters node.save --json ${more}`), {
        "node.save": counted({ [ONE]: one, [TWO]: two }),
      });
    expect((await ask([503, 249, 248], [340, 331, 329])).exitCode).toBe(0);
    const { exitCode, stdout } = await ask([333, 333, 334], [340, 331, 329]);
    expect(exitCode).toBe(1);
    const { services } = JSON.parse(stdout) as {
      services: readonly (Check & { chain: string; adjustedPValue: number })[];
    };
    expect(services.map((one) => [one.chain, one.adjustedPValue < 0.001])).toEqual([
      [ONE, true],
      [TWO, false],
    ]);
    expect((await ask([333, 333, 334], [340, 331, 329], "--service ns/s2:http")).exitCode).toBe(0);
    expect((await ask([333, 333, 334], [1, 1, 1], "--service nobody")).exitCode).toBe(2);
  });

  it("says with care what counters tell", async () => {
    const node = counted({ [ONE]: [333, 333, 334], [TWO]: [0, 0, 0] });
    const { stdout, exitCode } = await chainwalk(words("check --counters node.save"), { "node.save": node });
    expect(exitCode).toBe(1);
    await expect(stdout).toMatchFileSnapshot("../golden/cli-check-counters.txt");
  });

  it("leaves out what is counted together with something else", async () => {
    const node = `table ip kube-proxy {
      set affinity-3 { type ipv4_addr; flags dynamic,timeout; timeout 3h; }
      chain service-AAAAAAAA-ns/a/tcp/http { numgen random mod 2 vmap { 0 : goto endpoint-1, 1 : goto endpoint-2 }; }
      chain service-BBBBBBBB-ns/b/tcp/ { ip saddr @affinity-3 goto endpoint-3; numgen random mod 1 vmap { 0 : goto endpoint-3 }; }
      chain endpoint-1 { meta l4proto tcp counter packets 4100 bytes 0 dnat to 10.0.0.1:80; }
      chain endpoint-2 { meta l4proto tcp counter packets 3700 bytes 0 dnat to 10.0.0.2:80; }
      chain endpoint-3 { meta l4proto tcp counter packets 7 bytes 0 dnat to 10.0.0.3:80; }
    }\n`;
    const { stdout, exitCode } = await chainwalk(words("check --counters node.nft --json"), { "node.nft": node });
    const { services, mixed } = JSON.parse(stdout) as {
      services: readonly (Check & { service: string })[];
      mixed: readonly string[];
    };
    expect({ exitCode, mixed, names: services.map((one) => one.service) }).toEqual({
      exitCode: 1,
      mixed: ["ns/b"],
      names: ["ns/a:http"],
    });
    const text = (await chainwalk(words("check --counters node.nft"), { "node.nft": node })).stdout;
    expect(text).toContain("Left out, as the counters hold more than picks (session affinity, another choice): ns/b\n");
  });

  it("needs counters", async () => {
    const { exitCode, stderr } = await chainwalk(words("check --counters node.save"), { "node.save": UNEVEN });
    expect(exitCode).toBe(2);
    expect(stderr).toContain("the rules have no counters");
  });
});
