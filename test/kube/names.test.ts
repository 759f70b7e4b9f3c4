import { createHash } from "node:crypto";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { endpointChainName, hash16, serviceChainName, servicePortName } from "../../src/kube/names.js";

describe("chain names", () => {
  it.each([
    ["default/nginx:tcp", "4N57TFCL4MD7ZTDA"],
    ["default/nginx:tcp172.16.2.125:80", "ZWDBLNQ3XRBMUP33"],
    ["default/nginx:tcp172.16.2.229:80", "H2XFNPZ6MLIHFOVM"],
    ["default/wrinkled-crocodile-selenium-hub:hubtcp", "SI6MMWWVN6LUBWIY"],
    ["ns1/svc1:p80tcp", "XPGD46QRK7WJZT7O"],
    ["ns1/svc1:p80tcp10.180.0.1:80", "SXIVWICOYRO3J4NJ"],
  ])("hash16(%s)", (text, hash) => {
    expect(hash16(text)).toBe(hash);
  });

  it("law: 16 letters of base32 hold the first 80 bits of the SHA-256", () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const bits = [...hash16(text)].reduce(
          (n, c) => n * 32n + BigInt("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(c)),
          0n,
        );
        const digest = createHash("sha256").update(text).digest("hex").slice(0, 20);
        expect(bits).toBe(BigInt(`0x${digest}`));
      }),
    );
  });

  it("an unnamed port leaves its colon away, but not in v1.17 and older", () => {
    expect(servicePortName("f", "web", "http")).toBe("f/web:http");
    expect(servicePortName("f", "web", "")).toBe("f/web");
    expect(servicePortName("f", "web", "", true)).toBe("f/web:");
  });

  it("all chains of a service port share one hash", () => {
    for (const kind of ["SVC", "SVL", "EXT", "FW", "XLB"] as const)
      expect(serviceChainName(kind, "ns1/svc1:p80", "tcp")).toBe(`KUBE-${kind}-XPGD46QRK7WJZT7O`);
    expect(endpointChainName("ns1/svc1:p80", "tcp", "10.180.0.1:80")).toBe("KUBE-SEP-SXIVWICOYRO3J4NJ");
  });
});
