import { describe, expect, it } from "vitest";
import { chainwalk, words } from "./command-line.js";

const generate = async (rest: string): Promise<string> => {
  const { stdout, stderr, exitCode } = await chainwalk(words(`generate ${rest}`));
  expect({ stderr, exitCode }).toEqual({ stderr: "", exitCode: 0 });
  return stdout;
};

describe("generate", () => {
  it("writes the same text for the same options, another for another seed", async () => {
    const line = "--services 30 --endpoints 3 --seed 5";
    expect(await generate(line)).toBe(await generate(line));
    expect(await generate("--services 30 --endpoints 3 --seed 6")).not.toBe(await generate(line));
  });

  it("writes rules that are read back as they are, with as many services as asked for", async () => {
    for (const rest of ["", "--kube-proxy-version v1.17", "--pod-cidr fd00:1::/64 --service-cidr fd00:2::/112"]) {
      const rules = await generate(`--services 40 --endpoints 2 --empty 0.2 --affinity 0.3 ${rest}`);
      const files = { r: rules };
      const back = await chainwalk(words("print --rules r"), files);
      expect(back).toMatchObject({ stdout: rules, stderr: "", exitCode: 0 });
      const list = JSON.parse((await chainwalk(words("services --rules r --json"), files)).stdout) as unknown[];
      expect(list).toHaveLength(40);
    }
  });

  it("mixes protocols as told", async () => {
    const rules = await generate("--services 20 --endpoints 1 --protocols UDP=1");
    expect(rules).toContain("-p udp");
    expect(rules).not.toContain("-p tcp");
  });

  it("tells layouts apart by version, patches and case aside", async () => {
    const of = (version: string): Promise<string> => generate(`--services 5 --kube-proxy-version ${version}`);
    const [current, older] = [await of("v1.30"), await of("v1.26")];
    expect(older).not.toBe(current);
    for (const version of ["v1.30.3", "1.27", "V1.31.0"]) expect(await of(version)).toBe(current);
  });

  it("prints the rule set as print --json does", async () => {
    const rules = await generate("--services 2");
    const printed = JSON.parse((await chainwalk(words("print --rules r --json"), { r: rules })).stdout) as {
      tables: object[];
    };
    const generated = JSON.parse(await generate("--services 2 --json")) as { tables: object[] };
    const names = (set: { tables: object[] }): unknown =>
      JSON.parse(JSON.stringify(set.tables, ["name", "chains", "rules", "statements", "kind"]));
    expect(names(generated)).toEqual(names(printed));
  });
});
