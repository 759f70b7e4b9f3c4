import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { batchOf, PacketBatch } from "../../src/packet/batch.js";
import { CtStatus, translatedTuple } from "../../src/packet/connection.js";
import { Node } from "../../src/packet/node.js";
import { makePacket, tupleOf } from "../../src/packet/packet.js";
import { replyTuple, sameTuple, type Tuple } from "../../src/packet/tuple.js";

const word = fc.integer({ min: 0, max: 0xffffffff });
const port = fc.nat(65535);
const packet = fc
  .record({
    src: word,
    dst: word,
    protocol: fc.constantFrom(6, 17, 132, 47),
    sport: port,
    dport: port,
    mark: word,
    tcpFlags: fc.nat(63),
  })
  .chain((fields) => fc.constantFrom("eth0", "cni0", "lo").map((iif) => makePacket({ ...fields, iif })));

describe("a packet batch", () => {
  it("gives back what was put in", () => {
    fc.assert(
      fc.property(fc.array(packet, { minLength: 1, maxLength: 20 }), (packets) => {
        const batch = batchOf(packets);
        packets.forEach((each, i) => expect(batch.get(i)).toEqual(each));
      }),
    );
  });

  it("gives back the connection of each packet, both ways", () => {
    fc.assert(
      fc.property(packet, word, port, (each, address, newPort) => {
        const original = tupleOf(each);
        const translated: Tuple = { ...original, dst: address, dport: newPort };
        const reply = replyTuple(translated)!;
        const common = { state: "established", status: CtStatus.dnat, mark: 7, original, reply } as const;
        const batch = new PacketBatch("ip", 2);
        batch.set(0, each, 0, { ...common, direction: "original" });
        batch.set(1, makePacket({ ...each, ...reply }), 1, { ...common, direction: "reply" });
        expect(batch.connection(0)).toEqual({ ...common, direction: "original" });
        expect(batch.connection(1)).toEqual({ ...common, direction: "reply" });
        expect(sameTuple(batch.translated(0), translated)).toBe(true);
        expect(sameTuple(batch.translated(1), replyTuple(original)!)).toBe(true);
        expect(translatedTuple(original, batch.connection(0))).toEqual(translated);
      }),
    );
  });

  it("refuses a packet of the other family", () => {
    const six = makePacket({ src: [0, 0, 0, 1], dst: [0, 0, 0, 2] });
    expect(() => new PacketBatch("ip", 1).set(0, six)).toThrow(RangeError);
    expect(() => makePacket({ src: 1, dst: [0, 0, 0, 2] })).toThrow(RangeError);
  });
});

describe("tuples", () => {
  it("the reply of the reply is the tuple", () => {
    fc.assert(
      fc.property(packet, (each) => {
        expect(replyTuple(replyTuple(each)!)).toEqual(tupleOf(each));
      }),
    );
  });

  it("an echo request is answered by an echo reply of the same identifier; an error by nothing", () => {
    const echo = { src: 1, dst: 2, protocol: 1, sport: 77, dport: 8 << 8 };
    expect(replyTuple(echo)).toEqual({ src: 2, dst: 1, protocol: 1, sport: 77, dport: 0 });
    expect(replyTuple({ ...echo, dport: (3 << 8) | 3 })).toBeUndefined();
  });
});

describe("a node", () => {
  const node = new Node(
    [0xc0a80002, [0x20010db8, 0, 0, 2]],
    [
      { value: 0, mask: 0, oif: "eth0" },
      { value: 0x0a000000, mask: 0xff000000, oif: "pods", source: 0x0a000001 },
      { value: 0x0a010000, mask: 0xffff0000, oif: "pod1" },
    ],
  );

  it("routes by the longest prefix", () => {
    expect(node.route(0x0a010203)).toEqual({ local: false, oif: "pod1", source: 0xc0a80002 });
    expect(node.route(0x0a020203)).toEqual({ local: false, oif: "pods", source: 0x0a000001 });
    expect(node.route(0x08080808)).toEqual({ local: false, oif: "eth0", source: 0xc0a80002 });
    expect(node.route(0xc0a80002)).toEqual({ local: true, oif: "lo", source: 0xc0a80002 });
  });

  it.each([
    [0x7f010203, "LOCAL"],
    [0xc0a80002, "LOCAL"],
    [0xe0000001, "MULTICAST"],
    [0xffffffff, "BROADCAST"],
    [0x00000001, "BROADCAST"],
    [0x08080808, "UNICAST"],
  ])("%i is %s", (address, type) => expect(node.addressType(address)).toBe(type));

  it("knows its IPv6 addresses", () => {
    expect(node.isLocal([0x20010db8, 0, 0, 2])).toBe(true);
    expect(node.isLocal([0, 0, 0, 1])).toBe(true);
    expect(node.addressType([0xff020000, 0, 0, 1])).toBe("MULTICAST");
  });
});
