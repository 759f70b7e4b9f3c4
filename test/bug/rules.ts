/** What the kept cases need: a data path over a rule text, and the rules a packet meets in it. */
import { Node } from "../../src/packet/node.js";
import { parseAddress } from "../../src/packet/address.js";
import { makePacket, type Packet, type PacketFields } from "../../src/packet/packet.js";
import { resolve } from "../../src/ruleset/resolve.js";
import { readRules } from "../../src/syntax/read.js";
import { Datapath } from "../../src/datapath/datapath.js";
import { linearEngine } from "../../src/engine/linear.js";
import type { Engine } from "../../src/engine/types.js";
import type { Result } from "../../src/datapath/single.js";

export const NODE = new Node([parseAddress("10.200.0.1")!]);

/** A data path that also tells the path: rules that matched and ends of base chains, as `table:chain:number` and `table:chain:policy`. */
export function datapathOf(
  text: string,
  from: "iptables-save" | "nft" = "iptables-save",
): {
  process: (packet: Packet, now?: number) => Result & { path: string[] };
  datapath: Datapath;
} {
  const { ruleset, problems } = readRules(text, { from });
  if (ruleset === undefined) throw new Error(problems.map((problem) => problem.message).join("\n"));
  const linear = linearEngine(resolve(ruleset));
  let path: string[] = [];
  const engine: Engine = {
    ...linear,
    classify(packet, context) {
      const { steps, outcome } = linear.trace(packet, context);
      path = steps.flatMap((step) => {
        if (step.kind === "rule") return [`${step.rule.chain.table.name}:${step.rule.chain.name}:${step.rule.number}`];
        return step.kind === "policy" ? [`${step.table}:${step.chain}:policy`] : [];
      });
      return outcome;
    },
  };
  const datapath = new Datapath(engine, NODE);
  return { datapath, process: (packet, now = 0) => ({ ...datapath.process(packet, now), path }) };
}

/** The same over one table of nftables. */
export function nftDatapathOf(body: string, family = "ip"): ReturnType<typeof datapathOf> {
  return datapathOf(`table ${family} t {\n${body}\n}\n`, "nft");
}

/** A packet between two addresses given as text. */
export function packetBetween(src: string, dst: string, fields: Partial<PacketFields> = {}): Packet {
  return makePacket({ src: parseAddress(src)!, dst: parseAddress(dst)!, sport: 4000, dport: 80, ...fields });
}

export const EMPTY_NAT = "*nat\n:PREROUTING ACCEPT\n:INPUT ACCEPT\n:OUTPUT ACCEPT\n:POSTROUTING ACCEPT\nCOMMIT\n";
