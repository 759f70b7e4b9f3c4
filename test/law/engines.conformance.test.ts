import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "vitest";
import { parseAddress } from "../../src/packet/address.js";
import { Node } from "../../src/packet/node.js";
import { resolve } from "../../src/ruleset/resolve.js";
import { readRules } from "../../src/syntax/read.js";
import { packetsFor } from "../arbitrary/packets.js";
import { expectSameDistributions, expectSameOutcomes, type Subject } from "./engines-agree.js";

const root = process.env.CHAINWALK_CONFORMANCE;
const long = process.env.CHAINWALK_LONG === "1";
const seed = Number(process.env.CHAINWALK_SEED ?? 20260102);
const rerun = `rerun: CHAINWALK_CONFORMANCE=... CHAINWALK_SEED=${seed} npx vitest run --config test/vitest.config.ts test/law/engines.conformance.test.ts`;

const files = ["rules.iptables-save", "rules.ip6tables-save", "rules.iptables-save.gz", "rules.nft", "rules.nft.gz"];

/** Directories with a genuine dump, beside the ipvs one, whose ipsets have a test of their own. */
function dumps(): string[] {
  return ["cases", "features", "bench"]
    .flatMap((kind) => readdirSync(join(root!, kind)).map((name) => join(kind, name)))
    .filter((dir) => !dir.includes("ipvs") && files.some((file) => existsSync(join(root!, dir, file))));
}

function load(dir: string): Subject {
  const file = files.find((name) => existsSync(join(root!, dir, name)))!;
  const { ruleset, problems } = readRules(readFileSync(join(root!, dir, file)));
  if (ruleset === undefined) throw new Error(problems.map((problem) => problem.message).join("\n"));
  const { nodeIPs } = JSON.parse(readFileSync(join(root!, dir, "case.json"), "utf8")) as { nodeIPs: string[] };
  return { resolved: resolve(ruleset), node: new Node(nodeIPs.map((text) => parseAddress(text)!)) };
}

describe.runIf(root)("linear, columns and indexed agree on genuine dumps", () => {
  for (const dir of root ? dumps() : []) {
    it(dir, { timeout: 3_600_000 }, () => {
      const subject = load(dir);
      const family = subject.resolved.ruleset.tables[0]!.family === "ip6" ? "ip6" : "ip";
      const large = subject.resolved.rules.length > 20_000;
      const count = long ? 100_000 : large ? 400 : 3_000;
      const packets = packetsFor(subject.resolved, subject.node, family, count, `${dir} ${seed}`);
      expectSameOutcomes(subject, packets, seed, rerun);
      expectSameDistributions(subject, packets.slice(0, large ? 60 : 200), rerun);
    });
  }
});
