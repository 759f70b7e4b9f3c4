import { expect, test } from "vitest";
import { TcpFlag } from "../../src/packet/protocol.js";
import { datapathOf, packetBetween } from "./rules.js";

const { SYN, ACK } = TcpFlag;
const FILTER =
  "*filter\n:INPUT ACCEPT\n:FORWARD ACCEPT\n:OUTPUT ACCEPT\n-A FORWARD -s 10.0.0.2 -p tcp -j REJECT --reject-with tcp-reset\nCOMMIT\n";

// nf_conntrack_tcp_set_closing: REJECT with a reset closes the connection of the packet it answers.
test.each([
  ["an answer to the SYN", SYN | ACK, "CLOSE", 10_000],
  ["an acknowledgement", ACK, "CLOSE", 10_000],
])("%s rejected with a reset", (_, tcpFlags, state, timeLeft) => {
  const { process, datapath } = datapathOf(FILTER);
  process(packetBetween("10.0.0.1", "10.0.0.2"));
  process(packetBetween("10.0.0.2", "10.0.0.1", { sport: 80, dport: 4000, tcpFlags }));
  expect([...datapath.entries(0)]).toMatchObject([{ state, timeLeft }]);
});

test("rejected in another way the connection goes on", () => {
  const { process, datapath } = datapathOf(FILTER.replace("tcp-reset", "icmp-port-unreachable"));
  process(packetBetween("10.0.0.1", "10.0.0.2"));
  process(packetBetween("10.0.0.2", "10.0.0.1", { sport: 80, dport: 4000, tcpFlags: SYN | ACK }));
  expect([...datapath.entries(0)]).toMatchObject([{ state: "SYN_RECV", timeLeft: 60_000 }]);
});
