import { expect, test } from "vitest";
import { datapathOf, EMPTY_NAT, packetBetween } from "./rules.js";

// The kernel: where a tuple is its own inverse (one address, no ports or equal ones), the entry is found in the direction of the answer.
test.each([
  ["without ports", { protocol: 50, sport: 0, dport: 0 }],
  ["with equal ports", { protocol: 17, sport: 53, dport: 53 }],
])("a second packet from an address to itself %s counts as the answer", (_, fields) => {
  const { process } = datapathOf(EMPTY_NAT);
  const packet = packetBetween("10.0.0.1", "10.0.0.1", fields);
  expect(process(packet).state).toBe("new");
  expect(process(packet, 1).state).toBe("established");
});
