import { describe, expect, it } from "vitest";
import { ServiceMap } from "../../src/engine/compile/service-map.js";
import { SERVICE_WORDS } from "../../src/engine/compile/services.js";
import { parseAddress } from "../../src/packet/address.js";
import { parseProtocol } from "../../src/packet/protocol.js";
import { chainwalk, NGINX_RULES, words } from "./command-line.js";

interface Element {
  readonly key: readonly string[];
  readonly value: readonly string[];
  readonly formatted: { readonly key: unknown; readonly value: Record<string, unknown> };
}
type Maps = Record<"services" | "backends" | "picks" | "source_tests", readonly Element[]>;
interface Dump {
  readonly services: readonly {
    readonly address: string;
    readonly port: number;
    readonly protocol: string;
    readonly kind: string;
    readonly backends: readonly {
      readonly address: string;
      readonly port: number;
      readonly weight: number;
      readonly threshold: number;
    }[];
  }[];
}

async function compile(rest: string, rules: string): Promise<string> {
  const { stdout, stderr, exitCode } = await chainwalk(words(`compile --rules r ${rest}`), { r: rules });
  expect({ stderr, exitCode }).toEqual({ stderr: "", exitCode: 0 });
  return stdout;
}

const wordsOf = (bytes: readonly string[]): Int32Array => new Int32Array(Uint8Array.from(bytes, Number).buffer);
const generated = async (): Promise<string> =>
  (await chainwalk(words("generate --services 60 --endpoints 3 --empty 0.2 --seed 9"))).stdout;

describe("compile", () => {
  it("dumps maps whose bytes are the tables: what is found in them is what is formatted beside", async () => {
    const maps = JSON.parse(await compile("--emit maps --node-ip 192.168.0.2", await generated())) as Maps;
    const map = new ServiceMap();
    for (const { key, value, formatted } of maps.services) {
      const { address } = formatted.key as { address: string };
      const record = { address: parseAddress(address) as number, port: 0, protocol: 0, picks: [], routed: true };
      map.put(wordsOf([...key, ...value]), { ...record, verdict: "accept" });
    }
    expect(maps.services.length).toBeGreaterThan(50);
    for (const { formatted } of maps.services) {
      const { address, port, protocol } = formatted.key as { address: string; port: number; protocol: string };
      const row = map.find((parseAddress(address) as number) | 0, (parseProtocol(protocol)! << 16) | port);
      const { first, count, pick, source_test: test } = formatted.value;
      const [, key, ownFirst, countAndPick] = map.map.subarray(row, row + SERVICE_WORDS);
      expect([ownFirst, countAndPick! & 0xffff, countAndPick! >>> 16, key! >>> 24]).toEqual([first, count, pick, test]);
    }
    for (const { value, formatted } of maps.backends) {
      const [address, rest] = wordsOf(value);
      expect(parseAddress(formatted.value.address as string)).toBe(address! >>> 0);
      expect(formatted.value.port).toBe(rest! & 0xffff);
    }
  });

  it("dumps a canonical plan: services in order, weights of each pick that sum to 2^32 and follow the thresholds", async () => {
    const rules = await generated();
    const { services } = JSON.parse(await compile("--json", rules)) as Dump;
    expect(await compile("--emit JSON", rules)).toBe(await compile("--json", rules));
    const keys = services.map(({ address, port, protocol }) => [
      (parseAddress(address) as number) >>> 0,
      parseProtocol(protocol)!,
      port,
    ]);
    expect(keys).toEqual([...keys].sort((a, b) => a[0]! - b[0]! || a[1]! - b[1]! || a[2]! - b[2]!));
    const picking = services.filter(({ kind }) => kind === "pick");
    expect(picking.length).toBeGreaterThan(30);
    expect(services.length - picking.length).toBeGreaterThan(3);
    for (const { backends } of picking) {
      expect(backends.reduce((sum, { weight }) => sum + weight, 0)).toBe(2 ** 32);
      let left = 1;
      for (const { weight, threshold } of backends) {
        expect(Math.abs(weight - left * (threshold / 2 ** 31) * 2 ** 32)).toBeLessThanOrEqual(1);
        left *= 1 - threshold / 2 ** 31;
      }
    }
  });

  it("finds the services of a rule set, each with its endpoints", async () => {
    const rules = await generated();
    const { services } = JSON.parse(await compile("--json", rules)) as Dump;
    const list = JSON.parse((await chainwalk(words("services --rules r --json"), { r: rules })).stdout) as {
      ports: { clusterIPs: string[]; port: number; protocol: string; endpoints: { address: string; port: number }[] }[];
    }[];
    const told = list.flatMap(({ ports }) =>
      ports.map(
        (port) =>
          `${port.clusterIPs[0]}:${port.port} ${port.protocol} ${port.endpoints.map((e) => `${e.address}:${e.port}`).join()}`,
      ),
    );
    const compiled = services.map(
      (one) => `${one.address}:${one.port} ${one.protocol} ${one.backends.map((b) => `${b.address}:${b.port}`).join()}`,
    );
    expect(compiled.sort()).toEqual(told.sort());
  });

  it("prints the stages of the example as it always did", async () => {
    const texts = [];
    for (const stage of ["resolve", "prune", "partition", "specialise", "pick"])
      texts.push(
        `--stage ${stage}\n${(await chainwalk(words(`compile --rules ${NGINX_RULES} --stage ${stage}`))).stdout}`,
      );
    await expect(texts.join("\n")).toMatchFileSnapshot("../golden/cli-compile.txt");
  });

  it("says how large the tables are", async () => {
    const rules = await generated();
    const { bytes, services } = JSON.parse(await compile("--json", rules)) as Dump & { bytes: Record<string, number> };
    const layout = await compile("--stage LAYOUT", rules);
    const rows = new Map(layout.split("\n").map((line) => [line.slice(0, 13).trim(), words(line.slice(13))]));
    const number = (text: string | undefined): number => Number(text?.replace(/,/g, ""));
    expect(number(rows.get("service map")![1])).toBe(bytes.serviceMap);
    expect(number(rows.get("service map")![0])).toBe(bytes.serviceMap! / (4 * SERVICE_WORDS + 2));
    expect(number(rows.get("backend array")![0])).toBe(
      services.reduce((sum, { backends }) => sum + backends.length, 0),
    );
    expect(await compile("", rules)).toMatch(
      /^resolve .*\nprune .*\npartition .*\nspecialise +60 destinations: .*\npick .*\nlayout .*\n$/,
    );
  });
});
