import { describe, expect, it } from "vitest";
import { compile } from "../../src/engine/compile/compile.js";
import { findService } from "../../src/engine/compile/services.js";
import { parseAddress } from "../../src/packet/address.js";
import { NODE, rules } from "./rules.js";

const DNAT = "-A PREROUTING -d 10.0.0.1/32 -p tcp -m tcp --dport 80 -j DNAT --to-destination 10.1.0.1:8080";

/** Whether the destination of DNAT is in the service map, with these rules around it. */
function isFused(tables: Record<string, readonly string[]>, policies: Record<string, string> = {}): boolean {
  const { tables: compiled } = compile(rules({ nat: [DNAT], ...tables }, policies), NODE);
  return findService(compiled, (parseAddress("10.0.0.1") as number) | 0, (6 << 16) | 80) >= 0;
}

describe("specialise", () => {
  it("passes over tests whose answer does not matter", () => {
    expect(isFused({ filter: ["-A FORWARD -i cali+ -j ACCEPT", "-A FORWARD -i docker0 ! -o docker0 -j ACCEPT"] })).toBe(
      true,
    );
    expect(
      isFused({ filter: ["-A FORWARD -j chain", "-A chain -s 10.9.0.0/16 -j RETURN", "-A chain -j RETURN"] }),
    ).toBe(true);
    expect(
      isFused({ filter: ["-A FORWARD -s 10.9.0.0/16 -j LOG", "-A FORWARD -p tcp --tcp-flags SYN SYN -j LOG"] }),
    ).toBe(true);
    expect(isFused({ filter: ["-A FORWARD -d 10.7.0.0/16 -m limit --limit 1/s -j DROP"] })).toBe(true);
  });

  it("remembers on each way what it assumed of the source and the interface", () => {
    const impossible = (first: string, second: string): Record<string, readonly string[]> => ({
      filter: [
        "-A FORWARD -j chain",
        `-A chain ${first} -j RETURN`,
        `-A chain ${second} -j RETURN`,
        "-A chain -j DROP",
      ],
    });
    expect(isFused(impossible("-s 10.9.0.0/16", "! -s 10.9.0.0/16"))).toBe(true);
    expect(isFused(impossible("! -s 10.9.0.0/16", "-s 10.0.0.0/8"))).toBe(true);
    expect(isFused(impossible("-i eth0", "! -i eth0"))).toBe(true);
    expect(isFused(impossible("-s 10.0.0.0/8", "! -s 10.9.0.0/16"))).toBe(true);
    // Some packets get to the DROP: the destination depends on its source.
    expect(isFused(impossible("-s 10.9.0.0/16", "! -s 10.0.0.0/8"))).toBe(false);
    expect(isFused(impossible("-i eth0", "-i eth1"))).toBe(false);
  });

  it("leaves to the walk what depends on more than the tables hold", () => {
    expect(isFused({ filter: ["-A FORWARD -i cali+ -j ACCEPT"] }, { "filter FORWARD": "DROP" })).toBe(false);
    expect(isFused({ filter: ["-A FORWARD -s 10.9.0.0/16 -j DROP"] })).toBe(false);
    expect(isFused({ filter: ["-A FORWARD -m limit --limit 1/s -j ACCEPT"] })).toBe(false);
    expect(isFused({ mangle: ["-A PREROUTING -i cali+ -j MARK --set-mark 1"] })).toBe(false);
  });
});
