import { expect, test } from "vitest";
import { datapathOf, packetBetween } from "./rules.js";

const own = packetBetween("10.200.0.7", "10.200.0.1", { entrance: "output", iif: "" });
const inputs = (text: string): string[] =>
  datapathOf(text)
    .process(own)
    .path.filter((step) => step.startsWith("filter:INPUT"));

// The kernel: postrouting has confirmed the connection and translated the source by the time the packet comes back in through lo.
test("rules behind lo see a confirmed connection", () => {
  const rules =
    "*filter\n:INPUT ACCEPT\n:FORWARD ACCEPT\n:OUTPUT ACCEPT\n-A INPUT -m conntrack --ctstatus CONFIRMED -j ACCEPT\nCOMMIT\n";
  expect(inputs(rules)).toEqual(["filter:INPUT:1"]);
});

test("rules behind lo see the translated source", () => {
  const nat =
    "*nat\n:PREROUTING ACCEPT\n:INPUT ACCEPT\n:OUTPUT ACCEPT\n:POSTROUTING ACCEPT\n-A POSTROUTING -j SNAT --to-source 10.9.9.9\nCOMMIT\n";
  const filter =
    "*filter\n:INPUT ACCEPT\n:FORWARD ACCEPT\n:OUTPUT ACCEPT\n-A INPUT -s 10.9.9.9 -m conntrack --ctstate SNAT -j ACCEPT\nCOMMIT\n";
  expect(inputs(nat + filter)).toEqual(["filter:INPUT:1"]);
});

test("MASQUERADE of a packet to the node itself takes the node's first address, for lo has none to give", () => {
  const { process, datapath } = datapathOf(
    "*nat\n:PREROUTING ACCEPT\n:INPUT ACCEPT\n:OUTPUT ACCEPT\n:POSTROUTING ACCEPT\n-A POSTROUTING -j MASQUERADE\nCOMMIT\n",
  );
  process(packetBetween("10.200.0.7", "127.0.0.1", { entrance: "output", iif: "" }));
  expect([...datapath.entries(0)]).toMatchObject([{ reply: { src: 0x7f000001, dst: 0x0ac80001 } }]);
});
