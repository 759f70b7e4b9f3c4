import { expect, test } from "vitest";
import { nftDatapathOf, packetBetween } from "./rules.js";

const passes = (rate: string, times: readonly number[]): boolean[] => {
  const { process } = nftDatapathOf(
    `chain f { type filter hook forward priority 0; limit rate ${rate} accept; drop; }`,
  );
  return times.map(
    (now, i) => process(packetBetween("10.0.0.1", "192.0.2.1", { sport: 1000 + i }), now).verdict === "accept",
  );
};

// The kernel (nft_limit.c) counts nanoseconds; xt_limit, in ten-thousandths of a second, would let ten through in the second millisecond.
test("a bucket of nftables fills as nft_limit fills it", () => {
  const times = [...Array.from({ length: 11 }, () => 0), ...Array.from({ length: 9 }, () => 1)];
  const first = [...Array.from({ length: 10 }, () => true), false];
  const second = [...Array.from({ length: 7 }, () => true), false, false];
  expect(passes("7000/second burst 10 packets", times)).toEqual([...first, ...second]);
});
