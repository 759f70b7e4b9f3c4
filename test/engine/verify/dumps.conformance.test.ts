/** Genuine dumps of iptables and nftables, proved equal to the last class: CHAINWALK_CONFORMANCE names the directory. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parseAddress } from "../../../src/packet/address.js";
import { Node } from "../../../src/packet/node.js";
import { resolve } from "../../../src/ruleset/resolve.js";
import { compile } from "../../../src/engine/compile/compile.js";
import { verify } from "../../../src/engine/verify/verify.js";
import { readRules } from "../../../src/syntax/read.js";

const root = process.env.CHAINWALK_CONFORMANCE;
const long = process.env.CHAINWALK_LONG === "1";
const files = ["rules.iptables-save", "rules.ip6tables-save", "rules.iptables-save.gz", "rules.nft", "rules.nft.gz"];
/** Most of a minute and a gigabyte: only with CHAINWALK_LONG=1. */
const LARGEST = "bench-10000x5-nftables-v1.30";

function dumps(): string[] {
  return ["cases", "features", "bench"]
    .flatMap((kind) => readdirSync(join(root!, kind)).map((name) => join(root!, kind, name)))
    .filter((dir) => long || !dir.endsWith(LARGEST))
    .filter((dir) => files.some((file) => existsSync(join(dir, file))));
}

describe.runIf(root)("verify proves genuine dumps equal", () => {
  for (const dir of root ? dumps() : []) {
    it(dir.slice(root!.length), { timeout: 600_000 }, () => {
      const file = files.map((name) => join(dir, name)).find((path) => existsSync(path))!;
      const { nodeIPs } = JSON.parse(readFileSync(join(dir, "case.json"), "utf8")) as { nodeIPs: string[] };
      const resolved = resolve(readRules(readFileSync(file)).ruleset!);
      const plan = compile(resolved, new Node(nodeIPs.map((text) => parseAddress(text)!)));
      const found = verify(plan, { witnesses: 20 });
      expect(found.reason).toBeUndefined();
      expect([found.equal, found.share]).toEqual([true, 1]);
      expect(found.chains.every(({ complete }) => complete)).toBe(true);
      expect(found.services.compared).toBe(found.services.rows);
      // No class is left out: at least one for every chain that sends to an endpoint, and for every destination in a map of nftables.
      const targets = resolved.rules.filter(({ rule }) => rule.statements.at(-1)?.kind === "dnat");
      const elements = resolved.ruleset.tables.flatMap(({ maps }) => maps).map((map) => map.elements.length);
      const ways = new Set(targets.map(({ chain }) => chain.id)).size + elements.reduce((sum, count) => sum + count, 0);
      expect(found.classes).toBeGreaterThan(ways);
    });
  }
});
