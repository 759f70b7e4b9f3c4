import { expect, test } from "vitest";
import { nftDatapathOf, packetBetween } from "./rules.js";

// The kernel: in an inet table the address of a tuple of the other family is not there, so that neither == nor != holds.
test.each(["ct original ip saddr 10.0.0.1", "ct original ip saddr != 10.0.0.1"])(
  "%s of an IPv6 connection",
  (match) => {
    const { process } = nftDatapathOf(`chain f { type filter hook forward priority 0; ${match} drop; }`, "inet");
    expect(process(packetBetween("2001:db8::1", "2001:db8:1::1")).verdict).toBe("accept");
    const other = match.includes("!=") ? "10.0.0.2" : "10.0.0.1";
    expect(process(packetBetween(other, "192.0.2.1")).verdict).toBe("drop");
  },
);
