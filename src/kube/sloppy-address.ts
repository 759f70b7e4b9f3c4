import { type Address, parseAddress } from "../packet/address.js";
import { type MaskedAddress, parsePrefix } from "../packet/prefix.js";

/** Zeros that stand before an octet's digits. */
const LEADING_ZEROS = /(^|\.)0+(?=\d)/g;

/** As Go's ParseIPSloppy (k8s.io/utils/net) reads an address: leading zeros of an IPv4 octet are let pass, as decimal. */
export function parseSloppyAddress(text: string): Address | undefined {
  return parseAddress(text) ?? parseAddress(text.replace(LEADING_ZEROS, "$1"));
}

/** As ParseCIDRSloppy: address/length, blanks around it let pass; a length is needed, and no mask in its place. */
export function parseSloppyPrefix(text: string): MaskedAddress | undefined {
  const trimmed = text.trim();
  if (!/\/\d+$/.test(trimmed)) return undefined;
  return parsePrefix(trimmed) ?? parsePrefix(trimmed.replace(LEADING_ZEROS, "$1"));
}
