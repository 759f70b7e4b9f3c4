import { expect, test } from "vitest";
import { nftDatapathOf, packetBetween } from "./rules.js";

// The kernel (nft_rhash_gc): an element that was deleted or is over holds its place until the next clean-up, once a second.
test("a deleted element gives its room back at the next clean-up", () => {
  const { process } = nftDatapathOf(`set s { type ipv4_addr; flags dynamic,timeout; timeout 1h; size 1; }
chain f { type filter hook forward priority 0; udp dport 1 delete @s { ip saddr } accept; add @s { ip saddr } accept; drop; }`);
  const from = (src: string, dport: number, now: number): string =>
    process(packetBetween(src, "192.0.2.1", { dport, protocol: 17 }), now).verdict;
  expect(from("10.0.0.1", 80, 0)).toBe("accept");
  expect(from("10.0.0.2", 80, 10)).toBe("drop");
  expect(from("10.0.0.1", 1, 20)).toBe("accept");
  expect(from("10.0.0.2", 80, 30)).toBe("drop");
  expect(from("10.0.0.2", 80, 1030)).toBe("accept");
});
