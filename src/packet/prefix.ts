import { type Address, type Family, familyOf, formatAddress, parseAddress, type IPv6 } from "./address.js";

/** An address and the bits of it that count. `value` has no bits outside `mask`. The mask need not be a prefix. */
export interface MaskedAddress {
  readonly value: Address;
  readonly mask: Address;
}

/** The mask whose first `length` bits are set; length 0..32 or 0..128. */
export function prefixMask(family: Family, length: number): Address {
  const word = (bits: number): number => (bits <= 0 ? 0 : bits >= 32 ? 0xffffffff : (0xffffffff << (32 - bits)) >>> 0);
  if (family === "ip") return word(length);
  return [word(length), word(length - 32), word(length - 64), word(length - 96)];
}

/** The length of a mask that is a prefix, -1 for any other mask. */
export function prefixLength(mask: Address): number {
  const words = typeof mask === "number" ? [mask] : mask;
  let length = 0;
  let ended = false;
  for (const word of words) {
    const ones = Math.clz32(~word >>> 0);
    if (ended ? word !== 0 : ones < 32 && (word << ones) >>> 0 !== 0) return -1;
    if (ones < 32) ended = true;
    length += ended && ones === 32 ? 0 : ones;
  }
  return length;
}

export function maskAddress(address: Address, mask: Address): Address {
  if (typeof address === "number") return (address & (mask as number)) >>> 0;
  const m = mask as IPv6;
  return [(address[0] & m[0]) >>> 0, (address[1] & m[1]) >>> 0, (address[2] & m[2]) >>> 0, (address[3] & m[3]) >>> 0];
}

/** Whether the bits of `address` under the mask equal the value. An address of the other family is not inside. */
export function insideMask(address: Address, value: Address, mask: Address): boolean {
  if (typeof address === "number") return typeof mask === "number" && (address & mask) >>> 0 === value;
  if (typeof mask === "number") return false;
  const v = value as IPv6;
  return (
    (address[0] & mask[0]) >>> 0 === v[0] &&
    (address[1] & mask[1]) >>> 0 === v[1] &&
    (address[2] & mask[2]) >>> 0 === v[2] &&
    (address[3] & mask[3]) >>> 0 === v[3]
  );
}

export function contains(range: MaskedAddress, address: Address): boolean {
  return insideMask(address, range.value, range.mask);
}

/** The host prefix (/32 or /128) of one address. */
export function hostPrefix(address: Address): MaskedAddress {
  return { value: address, mask: prefixMask(familyOf(address), typeof address === "number" ? 32 : 128) };
}

/** Reads `address`, `address/length` or `address/mask`; bits outside the mask are cleared, as iptables does. */
export function parsePrefix(text: string): MaskedAddress | undefined {
  const slash = text.indexOf("/");
  const address = parseAddress(slash < 0 ? text : text.slice(0, slash));
  if (address === undefined) return undefined;
  if (slash < 0) return hostPrefix(address);
  const family = familyOf(address);
  const rest = text.slice(slash + 1);
  let mask: Address | undefined;
  if (/^\d{1,3}$/.test(rest)) {
    const length = Number(rest);
    if (length > (family === "ip" ? 32 : 128)) return undefined;
    mask = prefixMask(family, length);
  } else {
    mask = parseAddress(rest);
    if (mask === undefined || familyOf(mask) !== family) return undefined;
  }
  return { value: maskAddress(address, mask), mask };
}

/** `address/length`, or `address/mask` where the mask is no prefix. */
export function formatPrefix(prefix: MaskedAddress): string {
  const length = prefixLength(prefix.mask);
  return `${formatAddress(prefix.value)}/${length >= 0 ? length : formatAddress(prefix.mask)}`;
}
