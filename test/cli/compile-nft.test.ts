import { describe, expect, it } from "vitest";
import { chainwalk, words } from "./command-line.js";

const rules = `*filter
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
-A FORWARD -d 10.0.0.1/32 -p tcp -m tcp --dport 80 -j ACCEPT
-A FORWARD -d 10.0.0.2/32 -p tcp -m tcp --dport 80 -j ACCEPT
-A FORWARD -d 10.0.0.3/32 -p tcp -m tcp --dport 80 -j DROP
-A FORWARD -m physdev ! --physdev-is-in -j ACCEPT
COMMIT
`;

describe("compile --emit nft", () => {
  it("prints what nft -f loads, after what became of the rules", async () => {
    const { stdout, stderr, exitCode } = await chainwalk(words("compile --rules r --emit nft --without-bridges"), {
      r: rules,
    });
    expect({ stderr, exitCode }).toEqual({ stderr: "", exitCode: 0 });
    expect(stdout).toBe(`# 4 rules of iptables: 3 of them in verdict maps, 0 in even choices
table ip filter {
	map FORWARD-by-daddr-protocol-dport {
		type ipv4_addr . inet_proto . inet_service : verdict
		elements = { 10.0.0.1 . tcp . 80 : accept,
			     10.0.0.2 . tcp . 80 : accept,
			     10.0.0.3 . tcp . 80 : drop }
	}

	chain INPUT {
		type filter hook input priority filter; policy accept;
	}

	chain FORWARD {
		type filter hook forward priority filter; policy accept;
		ip daddr . meta l4proto . th dport vmap @FORWARD-by-daddr-protocol-dport
		accept
	}

	chain OUTPUT {
		type filter hook output priority filter; policy accept;
	}
}
`);
  });

  it("refuses with the line what has no counterpart, and prints nothing", async () => {
    const { stdout, stderr, exitCode } = await chainwalk(words("compile --rules r --emit nft"), { r: rules });
    expect({ stdout, exitCode }).toEqual({ stdout: "", exitCode: 2 });
    expect(stderr).toMatch(/^r:8:1: bridge ports \(physdev\) have no counterpart in nftables; --without-bridges/);
    expect(stderr).toContain("\n-A FORWARD -m physdev ! --physdev-is-in -j ACCEPT\n^");
  });

  it("a translation is no longer iptables", async () => {
    const once = await chainwalk(words("compile --rules r --emit nft --without-bridges"), { r: rules });
    const twice = await chainwalk(words("compile --rules r --emit nft"), { r: once.stdout });
    expect(twice.exitCode).toBe(2);
    expect(twice.stderr).toContain("is an nftables table already");
  });

  it("flags of the translation do not go with other forms", async () => {
    const { stderr, exitCode } = await chainwalk(words("compile --rules r --no-fold"), { r: rules });
    expect(exitCode).toBe(2);
    expect(stderr).toContain("--without-bridges and --no-fold are for --emit nft");
  });
});
