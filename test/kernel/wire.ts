/** Packets as bytes: what goes into the kernel, and what comes out of it. */
import type { Address, Family, IPv6 } from "../../src/packet/address.js";
import { addressWords } from "../../src/packet/address.js";
import type { Packet } from "../../src/packet/packet.js";
import { hasPorts, ICMP, ICMPV6, isIcmp, SCTP, TCP, UDP, UDPLITE } from "../../src/packet/protocol.js";
import type { Tuple } from "../../src/packet/tuple.js";

/** A packet that left the kernel, or the header of one in a trace event. */
export interface WirePacket extends Tuple {
  readonly family: Family;
  /** IPv4 identification or IPv6 flow label: names the packet that was put in; translations leave it alone. */
  readonly name: number;
  readonly tcpFlags: number;
  readonly ttl: number;
  /** The tuple an ICMP error carries. */
  readonly inner?: Tuple;
}

/** What the rule engine does not look at, but conntrack and TCP do. */
export interface WireExtras {
  /** TCP sequence and acknowledgement numbers. */
  readonly seq?: number;
  readonly ack?: number;
  /** Bytes after the transport header; by default as many zeros as the packet's length leaves. */
  readonly payload?: Buffer;
}

const TTL = 64;

/** The raw IP packet, checksums right. `name`: 1..65535. */
export function encodePacket(packet: Packet, name: number, extras: WireExtras = {}): Buffer {
  const transport = encodeTransport(packet, name, extras);
  if (packet.family === "ip") {
    const ip = Buffer.alloc(20);
    ip[0] = 0x45;
    ip.writeUInt16BE(20 + transport.length, 2);
    ip.writeUInt16BE(name, 4);
    ip[8] = TTL;
    ip[9] = packet.protocol;
    ip.writeUInt32BE(packet.src as number, 12);
    ip.writeUInt32BE(packet.dst as number, 16);
    ip.writeUInt16BE(checksum(ip), 10);
    return Buffer.concat([ip, transport]);
  }
  const ip = Buffer.alloc(40);
  ip.writeUInt32BE((0x60000000 | name) >>> 0, 0);
  ip.writeUInt16BE(transport.length, 4);
  ip[6] = packet.protocol;
  ip[7] = TTL;
  addressBytes(packet.src).copy(ip, 8);
  addressBytes(packet.dst).copy(ip, 24);
  return Buffer.concat([ip, transport]);
}

function encodeTransport(packet: Packet, name: number, extras: WireExtras): Buffer {
  const { protocol } = packet;
  const size = headerSize(protocol);
  const room = Math.max(0, packet.length - size - (packet.family === "ip" ? 20 : 40));
  const spare = protocol === SCTP ? 0 : room; // zeros behind an SCTP chunk would be a malformed chunk
  const payload = extras.payload ?? (packet.inner ? encodeInner(packet, packet.inner) : Buffer.alloc(spare));
  const bytes = Buffer.concat([Buffer.alloc(size), payload]);
  if (hasPorts(protocol)) {
    bytes.writeUInt16BE(packet.sport, 0);
    bytes.writeUInt16BE(packet.dport, 2);
  }
  let sumAt = -1;
  if (protocol === TCP) {
    bytes.writeUInt32BE(extras.seq ?? 1, 4);
    bytes.writeUInt32BE(extras.ack ?? 0, 8);
    bytes[12] = 0x50;
    bytes[13] = packet.tcpFlags;
    // Of a segment that says what the last one said the kernel takes it that it was sent again (tcp_in_window): each offers a window of its own.
    bytes.writeUInt16BE(0x7000 + (name & 0xfff), 14);
    sumAt = 16;
  } else if (protocol === UDP || protocol === UDPLITE) {
    bytes.writeUInt16BE(bytes.length, 4);
    sumAt = 6;
  } else if (protocol === SCTP) {
    bytes[12] = 1; // INIT
    bytes.writeUInt16BE(20, 14);
    bytes.writeUInt32BE(7, 16);
    bytes.writeUInt32LE(crc32c(bytes), 8);
  } else if (isIcmp(protocol)) {
    bytes[0] = packet.dport >>> 8;
    bytes[1] = packet.dport & 255;
    bytes.writeUInt16BE(packet.inner ? 0 : packet.sport, 4);
    sumAt = 2;
  }
  if (sumAt >= 0) {
    const pseudo = protocol === ICMP ? Buffer.alloc(0) : pseudoHeader(packet, bytes.length);
    const sum = checksum(Buffer.concat([pseudo, bytes]));
    bytes.writeUInt16BE(sum === 0 && protocol === UDP ? 0xffff : sum, sumAt);
  }
  return bytes;
}

function headerSize(protocol: number): number {
  if (protocol === TCP) return 20;
  if (protocol === SCTP) return 32;
  return 8;
}

/** The packet an ICMP error carries: its IP header and the first eight bytes after it. */
function encodeInner(packet: Packet, inner: Tuple): Buffer {
  const whole = encodePacket(
    { ...packet, ...inner, tcpFlags: inner.protocol === TCP ? 2 : 0, inner: undefined, length: 60 } as Packet,
    1,
  );
  return whole.subarray(0, (packet.family === "ip" ? 20 : 40) + 20);
}

function pseudoHeader(packet: Packet, length: number): Buffer {
  const end = Buffer.alloc(packet.family === "ip" ? 4 : 8);
  if (packet.family === "ip") {
    end[1] = packet.protocol;
    end.writeUInt16BE(length, 2);
  } else {
    end.writeUInt32BE(length, 0);
    end[7] = packet.protocol;
  }
  return Buffer.concat([addressBytes(packet.src), addressBytes(packet.dst), end]);
}

function addressBytes(address: Address): Buffer {
  const words = addressWords(address);
  const bytes = Buffer.alloc(4 * words.length);
  words.forEach((word, i) => bytes.writeUInt32BE(word, 4 * i));
  return bytes;
}

/** The Internet checksum (RFC 1071). */
function checksum(bytes: Buffer): number {
  let sum = 0;
  for (let i = 0; i < bytes.length; i += 2) sum += (bytes[i]! << 8) | (bytes[i + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x10000);
  return ~sum & 0xffff;
}

/** CRC32c (RFC 9260, appendix A). */
function crc32c(bytes: Buffer): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  }
  return ~crc >>> 0;
}

/** Reads a packet, or as much of one as is there. */
export function decodePacket(bytes: Buffer): WirePacket {
  const six = bytes[0]! >>> 4 === 6;
  const start = six ? 40 : (bytes[0]! & 15) * 4;
  const protocol = bytes[six ? 6 : 9]!;
  const tuple: Tuple = {
    src: decodeAddress(bytes, six ? 8 : 12, six),
    dst: decodeAddress(bytes, six ? 24 : 16, six),
    protocol,
    ...decodeParts(protocol, bytes.subarray(start)),
  };
  const error = isIcmp(protocol) && isError(protocol, tuple.dport >>> 8) && bytes.length >= start + 8 + (six ? 40 : 20);
  const inner = error ? decodePacket(bytes.subarray(start + 8)) : undefined;
  return {
    family: six ? "ip6" : "ip",
    name: six ? bytes.readUInt32BE(0) & 0xfffff : bytes.readUInt16BE(4),
    ttl: bytes[six ? 7 : 8]!,
    tcpFlags: protocol === TCP && bytes.length > start + 13 ? bytes[start + 13]! & 63 : 0,
    ...tuple,
    ...(inner === undefined ? {} : { inner }),
  };
}

function isError(protocol: number, type: number): boolean {
  return protocol === ICMPV6 ? type >= 1 && type <= 4 : [3, 4, 5, 11, 12].includes(type);
}

function decodeParts(protocol: number, transport: Buffer): { sport: number; dport: number } {
  if (transport.length >= 4 && hasPorts(protocol))
    return { sport: transport.readUInt16BE(0), dport: transport.readUInt16BE(2) };
  if (transport.length >= 6 && isIcmp(protocol))
    return { sport: transport.readUInt16BE(4), dport: transport.readUInt16BE(0) };
  return { sport: 0, dport: 0 };
}

function decodeAddress(bytes: Buffer, at: number, six: boolean): Address {
  if (!six) return bytes.readUInt32BE(at);
  return [0, 4, 8, 12].map((i) => bytes.readUInt32BE(at + i)) as unknown as IPv6;
}

/** Reads an address from hex digits: 8 for IPv4, 32 for IPv6. */
export function addressFromHex(text: string): Address {
  return decodeAddress(Buffer.from(text, "hex"), 0, text.length > 8);
}
