import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { resolve } from "../../src/ruleset/resolve.js";
import { readIpSets } from "../../src/syntax/ipset.js";
import { printPlain, readClean } from "./round-trip.js";
import { printRules } from "../../src/syntax/iptables/printer.js";

const root = process.env.CHAINWALK_CONFORMANCE;
const files =
  root === undefined || !existsSync(root)
    ? []
    : readdirSync(root, { recursive: true, encoding: "utf8" })
        .filter((path) => /rules\.ip6?tables-save(\.gz)?$/.test(path))
        .sort();

describe.runIf(root !== undefined)("genuine dumps", () => {
  it("are there", () => {
    expect(files.length).toBeGreaterThan(30);
  });

  it.each(files)("%s is read without problems and printed back", (path) => {
    const bytes = readFileSync(join(root!, path));
    const text = (path.endsWith(".gz") ? gunzipSync(bytes) : bytes).toString("utf8");
    const ruleset = readClean(bytes, {}, path);
    expect(ruleset.tables[0]!.family).toBe(path.includes("ip6tables") ? "ip6" : "ip");
    const printed = text.length > 5e6 ? printRules(ruleset) : printPlain(ruleset);
    expect(printed === text, `${path} is not printed back as it was`).toBe(true);
    expect(resolve(ruleset).problems).toEqual([]);
  });

  it("the sets of the ipvs node", () => {
    const { sets, problems } = readIpSets(readFileSync(join(root!, "features/features-ipvs-v1.30/ipset-save.txt")));
    expect(problems).toEqual([]);
    expect(sets?.find((set) => set.name === "KUBE-CLUSTER-IP")?.elements.length).toBeGreaterThan(30);
  });
});
