import { expect, test } from "vitest";
import { type IPv6, parseAddress } from "../../src/packet/address.js";
import { UDP } from "../../src/packet/protocol.js";
import { chooseDestination, EMPTY_SPACE } from "../../src/conntrack/nat.js";

const address = (text: string): IPv6 => parseAddress(text) as IPv6;

// Seen on Linux 6.18 (find_best_ips_proto): the hash of the later words takes in the words of the destination that are already rewritten.
test("a range of IPv6 destinations is chosen from as the kernel does", () => {
  const tuple = { src: address("fd00:64::1"), dst: address("fd00:200::1"), protocol: UDP, sport: 1024, dport: 22 };
  const range = { addresses: [address("fd00:64::1"), address("fd00:64::4")] as const };
  expect(chooseDestination(tuple, range, EMPTY_SPACE, () => 0).dst).toEqual(address("fd00:64::4"));
});
