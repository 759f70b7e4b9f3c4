/**
 * How the connection table (table.ts) lies in memory: flat typed arrays. A program in another language can repeat it from this description.
 *
 * Records: one int32 array of `stride` words a record (16 for IPv4, one cache line; 24 for IPv6). Record 0 is not used. Words:
 *   0 META     protocol | status << 8 | protocol state << 16 | tracking bits << 20 (see track.ts); 0 in a free record
 *   1 EXPIRES  milliseconds after the table's epoch
 *   2 MARK     the connection mark
 *   3 STREAM   UDP: when the flow becomes a stream, milliseconds after the epoch
 *   4, 5       ports of the original and of the reply tuple: source << 16 | destination (ICMP: identifier << 16 | type << 8 | code)
 *   6 ...      addresses: original source, original destination, reply source, reply destination; 1 word each (IPv4) or 4 (IPv6)
 *   then NEXT  in a free record the next free one
 * A *ref* names one direction of a connection: record * 2 + (0 original, 1 reply). 0 is no ref.
 *
 * Index: one int32 array, a power of two, four slots or more for each record there can be, so at most half full. A slot is 0 (empty)
 * or a ref in its low bits with the hash in the high ones (`refMask` tells them apart). Both directions of a connection are in
 * it, the reply entered first. Linear probing from `hash & indexMask`; removal closes the gap by moving later slots back, so there are no tombstones.
 *
 * Hash of a tuple, all in 32 bits, * being the low half of the product and >>> the unsigned shift:
 *   h = (src ^ protocol * 0x27d4eb2f) * 0x9e3779b1;  h = ((h ^ h >>> 16) + dst) * 0x85ebca6b;
 *   h = ((h ^ h >>> 15) + ports) * 0x2c1b3c6d;  h ^ h >>> 16
 * (IPv6: src is the first word; the other three of it and the four of dst take the second step in turn.)
 *
 * A lookup touches one line of the index and, but for one false alarm in a thousand, one record.
 */

export const META = 0;
export const EXPIRES = 1;
export const MARK = 2;
export const STREAM = 3;
export const PORTS = 4;
export const ADDRESSES = 6;

/** Words of a record. */
export const STRIDE_IPV4 = 16;
export const STRIDE_IPV6 = 24;

/** A port pair as one int32. */
export function packPorts(sport: number, dport: number): number {
  return (sport << 16) | dport;
}
