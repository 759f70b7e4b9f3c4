import { describe, expect, it } from "vitest";
import { doubtOf, pickBounds } from "../../src/engine/compile/pick.js";
import { ServiceMap } from "../../src/engine/compile/service-map.js";
import { pickBackend, SIGN, type ServiceRecord, type ServiceTables } from "../../src/engine/compile/services.js";
import { drawBits } from "../../src/engine/draw.js";
import { BLOCK, makePasses, makeScratch } from "../../src/engine/service-passes.js";

const ENDPOINTS = 3;
const TCP_80 = (6 << 16) | 80;
const PORT = 8080;
const addressOf = (service: number): number => 0x0a000000 + 7 * service;
const endpointOf = (service: number, k: number): number => 0x64000000 + ENDPOINTS * service + k;

/** Services of three endpoints each, the probabilities of kube-proxy. */
function tablesOf(services: number): ServiceTables {
  const record: ServiceRecord = { address: 0, port: 0, protocol: 6, picks: [], verdict: "accept", routed: true };
  const map = new ServiceMap();
  map.grow(services);
  const backends = new Int32Array(2 * ENDPOINTS * services);
  for (let service = 0; service < services; service++) {
    map.put([addressOf(service) | 0, TCP_80, ENDPOINTS * service, ENDPOINTS], record);
    for (let k = 0; k < ENDPOINTS; k++) backends.set([endpointOf(service, k), PORT], 2 * (ENDPOINTS * service + k));
  }
  const bounds = pickBounds([715827883, 1073741824, 2 ** 31]);
  return {
    map: map.map,
    seeds: map.seeds,
    slotShift: map.slotShift,
    backends,
    bounds: Int32Array.from(bounds, (bound) => bound ^ SIGN),
    doubts: Int32Array.of(doubtOf(bounds), 0, 0),
    thresholds: new Float64Array(ENDPOINTS),
    sourceTests: [{ value: 1, mask: 0, negate: false }],
    markUnmarked: 0,
    markMarked: 0,
    generation: 0,
    cold: map.cold,
  };
}

describe("the passes over the service tables", () => {
  // The larger ones do not fit a core's cache, and are read ahead.
  it.each([100, 60_000])(
    "send each packet to the endpoint of its draw, and leave the others, of %i services",
    (services) => {
      const tables = tablesOf(services);
      const scratch = makeScratch();
      const passes = makePasses(tables, scratch);
      const count = 2 * BLOCK + 123; // The last block is not full.
      // Every fifth destination is no service.
      const wanted = Array.from({ length: count }, (_, i) => (i % 5 === 0 ? undefined : (i * 7919) % services));
      const dst = Uint32Array.from(wanted, (service, i) => (service === undefined ? i : addressOf(service)));
      const id = Uint32Array.from(wanted, (_, i) => 3 * i);
      const key = 12345;
      const out = {
        verdict: new Uint8Array(count),
        flags: new Uint8Array(count),
        dst: new Uint32Array(count),
        dport: new Uint16Array(count),
        mark: new Uint32Array(count),
      };
      const left = new Int32Array(count);
      const protocols = new Uint8Array(count).fill(6);
      const ports = new Uint16Array(count).fill(80);
      let leftOver = 0;
      for (let from = 0; from < count; from += BLOCK) {
        const to = Math.min(from + BLOCK, count);
        passes.lookUp(dst, protocols, ports, from, to);
        leftOver = passes.settle(
          true,
          id,
          key,
          new Uint32Array(count),
          out.verdict,
          out.flags,
          out.dst,
          out.dport,
          out.mark,
          from,
          to,
          left,
          leftOver,
        );
      }
      wanted.forEach((service, i) => {
        if (service === undefined) return;
        const k = pickBackend(tables, 0, ENDPOINTS, drawBits(key, id[i]!));
        expect([out.dst[i], out.dport[i]], `packet ${i}`).toEqual([endpointOf(service, k), PORT]);
      });
      const others = wanted.flatMap((service, i) => (service === undefined ? [i] : []));
      expect([...left.subarray(0, leftOver)]).toEqual(others);
    },
  );
});
