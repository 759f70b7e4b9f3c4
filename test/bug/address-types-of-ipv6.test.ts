import { expect, test } from "vitest";
import { parseAddress } from "../../src/packet/address.js";
import { NEW_CONNECTION } from "../../src/packet/connection.js";
import { Node } from "../../src/packet/node.js";
import { makePacket } from "../../src/packet/packet.js";
import { resolve } from "../../src/ruleset/resolve.js";
import { readRules } from "../../src/syntax/read.js";
import { linearEngine } from "../../src/engine/linear.js";
import { FRESH_STATE } from "../../src/engine/state.js";

const node = new Node([parseAddress("fd00:200::1")!]);

// xt_addrtype, match_type6: a local address is unicast as well, and of several types each must hold; IPv4 asks for any one of them.
test.each([
  ["UNICAST", "fd00:200::1", true],
  ["LOCAL,UNICAST", "fd00:200::1", true],
  ["LOCAL,UNICAST", "2001:db8::1", false],
  ["UNICAST", "2001:db8::1", true],
  ["UNICAST", "ff02::5", false],
  ["LOCAL", "2001:db8::1", false],
])("--dst-type %s of %s: %s", (types, dst, holds) => {
  const text = `*raw\n:PREROUTING ACCEPT\n:OUTPUT ACCEPT\n-A PREROUTING -m addrtype --dst-type ${types} -j DROP\nCOMMIT\n`;
  const { ruleset } = readRules(text, { from: "ip6tables-save" });
  const packet = makePacket({ src: parseAddress("2001:db8::9")!, dst: parseAddress(dst)!, sport: 1024, dport: 80 });
  const context = { node, draw: () => 0, now: 0, connection: NEW_CONNECTION, state: FRESH_STATE };
  expect(linearEngine(resolve(ruleset!)).classify(packet, context).verdict).toBe(holds ? "drop" : "accept");
});
