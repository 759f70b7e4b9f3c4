import { expect, test } from "vitest";
import { SCTP, TCP, UDP } from "../../src/packet/protocol.js";
import { inIpSet } from "../../src/engine/ipset.js";
import { readIpSets } from "../../src/syntax/ipset.js";

// ip_set_get_ip_port: a bitmap:port set looks at the ports of TCP and UDP alone; sets that name the protocol know SCTP too.
test.each([
  [TCP, true, false],
  [UDP, true, false],
  [SCTP, false, true],
])("protocol %i", (protocol, inBitmap, inHash) => {
  const { sets } = readIpSets(
    "create PORTS bitmap:port range 0-65535\nadd PORTS 80\ncreate H hash:ip,port family inet\nadd H 10.0.0.2,sctp:80\n",
  );
  const subject = {
    family: "ip",
    src: 0x0a000001,
    dst: 0x0a000002,
    protocol,
    sport: 4000,
    dport: 80,
    mark: 0,
    iif: "eth0",
    oif: "",
  } as const;
  expect(inIpSet(sets![0]!, ["dst"], subject)).toBe(inBitmap);
  expect(inIpSet(sets![1]!, ["dst", "dst"], subject)).toBe(inHash);
});
