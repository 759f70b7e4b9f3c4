import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Family, parseAddress } from "../../src/packet/address.js";
import { makePacket, type Packet } from "../../src/packet/packet.js";
import { parseProtocol } from "../../src/packet/protocol.js";
import { type Backend, KernelNode } from "./kernel-node.js";
import { describeExchange, Session } from "./session.js";
import { servicePackets } from "./service-packets.js";

const root = process.env.CHAINWALK_CONFORMANCE;
const files = { ip: ["rules.iptables-save", "rules.iptables-save.gz"], ip6: ["rules.ip6tables-save"] } as const;
const nftFiles = ["rules.nft", "rules.nft.gz"] as const;
const long = process.env.CHAINWALK_LONG === "1";
/** Flows of one's own for each dump, besides those that stand beside it. */
const GENERATED = 400;
const LARGE = 2000;

interface Flow {
  readonly srcIP: string;
  readonly srcPort: number;
  readonly dstIP: string;
  readonly dstPort: number;
  readonly protocol: string;
  readonly hook?: string;
}

/** What case.json says. */
interface Case {
  readonly nodeIPs: readonly string[];
  readonly ipFamily: string;
}

function caseOf(dir: string): Case {
  return JSON.parse(readFileSync(join(root!, dir, "case.json"), "utf8")) as Case;
}

function fileOf(dir: string, family: Family, backend: Backend): string | undefined {
  if (backend !== "nftables") return files[family].find((name) => existsSync(join(root!, dir, name)));
  if ((caseOf(dir).ipFamily === "IPv6") !== (family === "ip6")) return undefined;
  return nftFiles.find((name) => existsSync(join(root!, dir, name)));
}

function dumps(family: Family, backend: Backend): string[] {
  return ["cases", "features", "bench"]
    .flatMap((kind) => readdirSync(join(root!, kind)).map((name) => join(kind, name)))
    .filter((dir) => !dir.includes("ipvs") && fileOf(dir, family, backend) !== undefined)
    .filter((dir) => !dir.includes("10000x5") || backend === "legacy" || (backend === "nftables" && long)); // nft takes minutes for it
}

function readText(dir: string, family: Family, backend: Backend): string {
  const bytes = readFileSync(join(root!, dir, fileOf(dir, family, backend)!));
  return (bytes[0] === 0x1f ? gunzipSync(bytes) : bytes).toString("utf8");
}

function flowsOf(dir: string, family: Family): Packet[] {
  const file = join(root!, dir, "flows.json");
  if (!existsSync(file)) return [];
  return (JSON.parse(readFileSync(file, "utf8")) as Flow[]).flatMap((flow) => {
    const src = parseAddress(flow.srcIP)!;
    if ((typeof src === "number") !== (family === "ip")) return [];
    const output = flow.hook !== undefined && /output/i.test(flow.hook);
    return makePacket({
      src,
      dst: parseAddress(flow.dstIP)!,
      protocol: parseProtocol(flow.protocol)!,
      sport: flow.srcPort,
      dport: flow.dstPort,
      ...(output ? { entrance: "output" as const, iif: "" } : {}),
    });
  });
}

for (const family of ["ip", "ip6"] as const) {
  for (const backend of ["legacy", "nft", "nftables"] as const) {
    describe.runIf(root)(`genuine dumps, ${family} ${backend}`, () => {
      let kernel: KernelNode;
      beforeAll(async () => {
        kernel = await KernelNode.start(family, backend);
      });
      afterAll(() => kernel?.stop());
      for (const dir of root ? dumps(family, backend) : []) {
        it(dir, async () => {
          kernel.setAddresses(caseOf(dir).nodeIPs.map((text) => parseAddress(text)!));
          const session = await Session.open(kernel, readText(dir, family, backend));
          const { resolved } = session.project.names;
          const count = resolved.rules.length > 20_000 ? LARGE : GENERATED;
          const packets = [...flowsOf(dir, family), ...servicePackets(resolved, kernel.node, family, count)];
          expect(packets.length).toBeGreaterThan(0);
          const wrong = [];
          for (let at = 0; at < packets.length; at += 100) {
            const exchanges = await session.send(packets.slice(at, at + 100).map((packet) => ({ packet })));
            wrong.push(...exchanges.filter((one) => one.differences.length > 0).map(describeExchange));
          }
          expect(wrong.slice(0, 5).join("\n"), `${wrong.length} of ${packets.length} packets differ`).toBe("");
        });
      }
    });
  }
}
