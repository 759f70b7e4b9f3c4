import { expect, test } from "vitest";
import { PacketBatch } from "../../src/packet/batch.js";
import { CtStatus } from "../../src/packet/connection.js";
import { tupleOf } from "../../src/packet/packet.js";
import { replyTuple } from "../../src/packet/tuple.js";
import { resolve } from "../../src/ruleset/resolve.js";
import { indexedEngine } from "../../src/engine/indexed.js";
import { linearEngine } from "../../src/engine/linear.js";
import { OutcomeBatch } from "../../src/engine/outcome-batch.js";
import { readRules } from "../../src/syntax/read.js";
import { contextFor } from "../law/engines-agree.js";
import { NODE, packet } from "../engine/rules.js";

// A second SYN before any reply is new to rules, but has its entry: the nat chains, and with them the service map, are not asked again.
test("a later packet of a connection without a reply is not looked up in the service map of a batch", () => {
  const rules = ["10.0.0.1 -p tcp -m tcp --dport 80 -j DNAT --to-destination 10.1.0.1:80", "10.0.0.2 -j DROP"];
  const text = `*nat\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -d ${rules[0]}\nCOMMIT\n*raw\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -p tcp -m tcp --dport 81 -d ${rules[1]}\nCOMMIT\n`;
  const resolved = resolve(readRules(text).ruleset!);
  const later = (addresses: string, to: number): PacketBatch => {
    const own = packet(addresses);
    const reply = replyTuple({ ...own, dst: to })!;
    const status = CtStatus.confirmed | CtStatus.dnat;
    const batch = new PacketBatch("ip", 1);
    batch.set(0, own, 0, { state: "new", direction: "original", status, mark: 0, original: tupleOf(own), reply });
    return batch;
  };
  for (const batch of [
    later("10.9.0.1:1000 10.0.0.1:80", 0x0a010009),
    later("10.9.0.1:1000 10.0.0.2:81", 0x0a010009),
  ]) {
    const [want, got] = [linearEngine(resolved), indexedEngine(resolved, { node: NODE })].map((engine) => {
      const out = new OutcomeBatch("ip", 1);
      engine.classifyBatch(batch, contextFor(NODE, 1), out);
      return out.get(0);
    });
    expect(got).toEqual(want);
  }
});
