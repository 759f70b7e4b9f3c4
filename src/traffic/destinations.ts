import { type Address, addressWords, type Family, familyOf } from "../packet/address.js";

/** Where traffic can go, as columns: destination i is address, port and protocol i. IPv6 addresses take four words. */
export interface Destinations {
  readonly family: Family;
  readonly count: number;
  readonly words: 1 | 4;
  readonly dst: Uint32Array;
  readonly port: Uint16Array;
  readonly protocol: Uint8Array;
}

/** What a destination is made from; a service port with its cluster IP is one. */
export interface Destination {
  readonly clusterIP: Address;
  readonly port: number;
  readonly protocol: number;
}

/** Columns of the given destinations, in their order. Throws RangeError where families are mixed. */
export function destinationsOf(list: readonly Destination[]): Destinations {
  const family = list.length === 0 ? "ip" : familyOf(list[0]!.clusterIP);
  const words = family === "ip" ? 1 : 4;
  const dst = new Uint32Array(list.length * words);
  list.forEach((one, i) => {
    if (familyOf(one.clusterIP) !== family) throw new RangeError("destinations of both families");
    dst.set(addressWords(one.clusterIP), i * words);
  });
  return {
    family,
    count: list.length,
    words,
    dst,
    port: Uint16Array.from(list, (one) => one.port),
    protocol: Uint8Array.from(list, (one) => one.protocol),
  };
}
