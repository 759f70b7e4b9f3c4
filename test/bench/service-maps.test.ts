import { expect, test } from "vitest";
import { serviceMaps } from "../../bench/rivals/service-maps.js";
import { makeCluster } from "../../bench/workload/cluster.js";
import { findService, indexedEngine } from "../../src/index.js";

const { resolved, node, services } = makeCluster(300, 3, 1);
const { tables } = indexedEngine(resolved, { node }).plan;

/** Every service, and beside each three destinations that differ from it in one bit. */
function destinations() {
  const count = 4 * services.address.length;
  const [dst, protocol, dport] = [new Uint32Array(count), new Uint8Array(count), new Uint16Array(count)];
  services.address.forEach((address, i) => {
    for (let k = 0; k < 4; k++) {
      dst[4 * i + k] = k === 1 ? address ^ (1 << (i % 32)) : address;
      protocol[4 * i + k] = services.protocol[i]! ^ (k === 2 ? 1 << (i % 8) : 0);
      dport[4 * i + k] = services.port[i]! ^ (k === 3 ? 1 << (i % 16) : 0);
    }
  });
  return { dst, protocol, dport, count };
}

test.each([...serviceMaps])("%s finds what the engine's map finds, and nothing else", (_, make) => {
  const all = destinations();
  const lookUp = make(tables);
  for (let i = 0; i < all.count; i++) {
    const one = {
      dst: all.dst.subarray(i, i + 1),
      protocol: all.protocol.subarray(i, i + 1),
      dport: all.dport.subarray(i, i + 1),
      count: 1,
    };
    const row = findService(tables, one.dst[0]! | 0, (one.protocol[0]! << 16) | one.dport[0]!);
    expect(lookUp(one)).toBe(row < 0 ? -1 : tables.map[row + 2]);
  }
});
