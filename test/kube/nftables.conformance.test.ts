import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { parseAddress } from "../../src/packet/address.js";
import { readConfiguration } from "../../src/kube/manifest/read-configuration.js";
import { readObjects } from "../../src/kube/manifest/read-objects.js";
import { nftablesLayoutOf } from "../../src/kube/nftables-mode/layout.js";
import { generateNftables } from "../../src/kube/nftables-mode/write.js";
import { printNft } from "../../src/syntax/nft/printer.js";
import { canonicalBlocks } from "./canonical-nft.js";

const root = process.env.CHAINWALK_CONFORMANCE;
const rerun =
  "rerun: CHAINWALK_CONFORMANCE=... npx vitest run --config test/vitest.config.ts test/kube/nftables.conformance.test.ts";

function read(dir: string, name: string): string {
  const path = join(root!, dir, name);
  return existsSync(path) ? readFileSync(path, "utf8") : gunzipSync(readFileSync(`${path}.gz`)).toString();
}

function generated(dir: string): string {
  const facts = JSON.parse(read(dir, "case.json")) as {
    ipFamily: string;
    kubeProxyVersion: string;
    nodeName: string;
    nodeIPs: string[];
    zone: string | null;
  };
  const { configuration, problems } = readConfiguration(read(dir, "kube-proxy-config.yaml"));
  const { objects, problems: found } = readObjects(read(dir, "objects.json"));
  expect([...problems, ...found].filter((one) => one.severity === "error")).toEqual([]);
  const node = {
    name: facts.nodeName,
    addresses: facts.nodeIPs.map((text) => parseAddress(text)!),
    ...(facts.zone === null ? {} : { zone: facts.zone }),
  };
  const family = facts.ipFamily === "IPv6" ? "ip6" : "ip";
  return printNft(generateNftables(objects, configuration, node, family, nftablesLayoutOf(facts.kubeProxyVersion)));
}

describe.runIf(root)("what the real kube-proxy wrote in nftables mode", () => {
  const dirs = root
    ? ["cases", "features", "bench"]
        .flatMap((kind) => readdirSync(join(root, kind)).map((name) => join(kind, name)))
        .filter((dir) => dir.includes("nftables"))
    : [];

  it("there is some", () => expect(dirs.length).toBeGreaterThan(20));

  it.each(dirs)("is generated from the objects of %s", { timeout: 60_000 }, (dir) => {
    const [expected, actual] = [canonicalBlocks(read(dir, "rules.nft")), canonicalBlocks(generated(dir))];
    expect([...actual.keys()].toSorted(), rerun).toEqual([...expected.keys()].toSorted());
    for (const [block, lines] of expected)
      if (lines.join("\n") !== actual.get(block)!.join("\n"))
        expect(actual.get(block), `${block}; ${rerun}`).toEqual(lines);
  });
});
