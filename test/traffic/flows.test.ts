import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseAddress } from "../../src/packet/address.js";
import { PacketBatch } from "../../src/packet/batch.js";
import { CtState } from "../../src/packet/connection.js";
import { insideMask, parsePrefix } from "../../src/packet/prefix.js";
import { SCTP, TCP, TcpFlag, UDP } from "../../src/packet/protocol.js";
import { chiSquareTest } from "../../src/stats/goodness-of-fit.js";
import { type Destination, destinationsOf } from "../../src/traffic/destinations.js";
import { type FlowOptions, FlowSource } from "../../src/traffic/flows.js";
import { fixedPopularity, uniformPopularity } from "../../src/traffic/popularity.js";

const services: Destination[] = [TCP, UDP, SCTP, TCP, TCP].map((protocol, i) => ({
  clusterIP: parseAddress(`172.16.0.${i + 1}`)!,
  port: 80 + i,
  protocol,
}));
const destinations = destinationsOf(services);

function flows(options: Partial<FlowOptions>, count: number, cut = count): Record<string, number[]> {
  const source = new FlowSource(destinations, { seed: 1, popularity: uniformPopularity(5), ...options });
  const columns: Record<string, number[]> = {};
  for (let from = 0; from < count; from += cut) {
    const batch = new PacketBatch("ip", cut);
    source.fillBatch(batch, Math.min(cut, count - from));
    for (const name of [
      "src",
      "dst",
      "sport",
      "dport",
      "protocol",
      "id",
      "tcpFlags",
      "toSrc",
      "toDst",
      "state",
    ] as const)
      (columns[name] ??= []).push(...batch[name].subarray(0, batch.count));
  }
  return columns;
}

describe("flows", () => {
  it("law: the stream does not depend on how it is cut into batches", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 50 }), fc.integer(), (cut, seed) => {
        expect(flows({ seed, misses: 0.2, clientCount: 7 }, 60, cut)).toEqual(
          flows({ seed, misses: 0.2, clientCount: 7 }, 60),
        );
      }),
    );
  });

  it("law: no tuple comes twice while a client has ports left", () => {
    const { src, sport } = flows({ clientCount: 3 }, 60_000);
    expect(new Set(src!.map((a, i) => a * 65536 + sport![i]!)).size).toBe(60_000);
  });

  it("packets go to services, from clients of the prefix, as first packets of new connections", () => {
    const clients = parsePrefix("10.20.0.0/16")!;
    const { src, dst, dport, protocol, tcpFlags, state, toSrc, toDst } = flows({ clients }, 500);
    src!.forEach((a) => expect(insideMask(a, clients.value, clients.mask)).toBe(true));
    dst!.forEach((a, i) => {
      const service = services.find((one) => one.clusterIP === a)!;
      expect([dport![i], protocol![i]]).toEqual([service.port, service.protocol]);
    });
    protocol!.forEach((p, i) => expect(tcpFlags![i]).toBe(p === TCP ? TcpFlag.SYN : 0));
    expect(new Set(state)).toEqual(new Set([CtState.new]));
    expect([toSrc, toDst]).toEqual([src, dst]);
  });

  it("a batch that was used before keeps nothing of it", () => {
    const source = new FlowSource(destinations, { seed: 3, popularity: fixedPopularity(5, 2), entrance: "output" });
    const batch = new PacketBatch("ip", 10);
    for (const column of [
      batch.mark,
      batch.ctmark,
      batch.status,
      batch.reply,
      batch.tcpFlags,
      batch.entrance,
      batch.iif,
    ])
      column.fill(1);
    source.fillBatch(batch, 4);
    expect(batch.count).toBe(4);
    expect(batch.get(3)).toMatchObject({
      mark: 0,
      tcpFlags: 0,
      entrance: "output",
      iif: "",
      dport: 82,
      protocol: SCTP,
    });
    expect([batch.ctmark[3], batch.status[3], batch.reply[3], batch.mark[4]]).toEqual([0, 0, 0, 1]);
  });

  it("the share of misses, and the picks that are told", () => {
    const source = new FlowSource(destinations, { seed: 5, popularity: uniformPopularity(5), misses: 0.3 });
    const batch = new PacketBatch("ip", 20_000);
    const picks = new Int32Array(batch.capacity);
    source.fillBatch(batch, batch.capacity, picks);
    const counts = [0, 0, 0, 0, 0, 0];
    picks.forEach((pick, i) => {
      counts[pick + 1]!++;
      if (pick >= 0) expect(batch.dst[i]).toBe(services[pick]!.clusterIP);
      else expect(insideMask(batch.dst[i]!, parseAddress("198.51.100.0")!, 0xffffff00)).toBe(true);
    });
    expect(chiSquareTest(counts, [0.3, 0.14, 0.14, 0.14, 0.14, 0.14]).pValue).toBeGreaterThan(1e-4);
  });

  it("IPv6", () => {
    const list = ["fd00:172:30::1", "fd00:172:30::2"].map((text) => ({
      clusterIP: parseAddress(text)!,
      port: 53,
      protocol: UDP,
    }));
    const source = new FlowSource(destinationsOf(list), {
      seed: 1,
      popularity: uniformPopularity(2),
      clientCount: 100,
    });
    const batch = new PacketBatch("ip6", 50);
    source.fillBatch(batch);
    for (let i = 0; i < batch.count; i++) {
      const packet = batch.get(i);
      expect(list.map((one) => one.clusterIP)).toContainEqual(packet.dst);
      expect(packet.src).toMatchObject({ 0: 0xfd000000, 1: 0, 2: 0 });
    }
  });

  it("refuses what does not fit", () => {
    expect(() => new FlowSource(destinations, { seed: 1, popularity: uniformPopularity(4) })).toThrow(RangeError);
    expect(() => flows({ clients: parsePrefix("fd00::/64")! }, 1)).toThrow(RangeError);
    expect(() => flows({ clients: parsePrefix("10.0.0.0/30")!, clientCount: 5 }, 1)).toThrow(RangeError);
    expect(() => flows({ misses: 2 }, 1)).toThrow(RangeError);
    const source = new FlowSource(destinations, { seed: 1, popularity: uniformPopularity(5) });
    expect(() => source.fillBatch(new PacketBatch("ip6", 1))).toThrow(RangeError);
    expect(() => source.fillBatch(new PacketBatch("ip", 1), 2)).toThrow(RangeError);
  });
});
