import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { resolve } from "../../src/ruleset/resolve.js";
import { printNft } from "../../src/syntax/nft/printer.js";
import { readRules } from "../../src/syntax/read.js";

const root = process.env.CHAINWALK_CONFORMANCE;
const files =
  root === undefined || !existsSync(root)
    ? []
    : readdirSync(root, { recursive: true, encoding: "utf8" })
        .filter((path) => /rules\.nft(\.gz)?$/.test(path))
        .sort();

describe.runIf(root !== undefined)("genuine nftables dumps", () => {
  it("are there", () => {
    expect(files.length).toBeGreaterThan(20);
  });

  it.each(files)("%s is read without problems and printed back", (path) => {
    const bytes = readFileSync(join(root!, path));
    const text = (path.endsWith(".gz") ? gunzipSync(bytes) : bytes).toString("utf8");
    const { ruleset, problems, format } = readRules(bytes);
    expect({ problems, format }).toEqual({ problems: [], format: "nft" });
    expect(printNft(ruleset!) === text, `${path} is not printed back as it was`).toBe(true);
    expect(resolve(ruleset!).problems).toEqual([]);
  });
});
