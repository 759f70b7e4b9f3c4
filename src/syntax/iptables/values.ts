/** The small values that options are made of: numbers, ports, masked numbers, interfaces, addresses. */
import { type Address, type Family, familyOf, parseAddress } from "../../packet/address.js";
import { type MaskedAddress, parsePrefix } from "../../packet/prefix.js";
import type { PortRange } from "../../ruleset/types.js";
import type { Options, OptionUse } from "./module.js";

export const UINT32 = 0xffffffff;
export const ANY_PORT: PortRange = [0, 0xffff];

/** Reads a number as strtoul with base 0 does: decimal, 0x hexadecimal, 0 octal. */
export function parseNumber(text: string, max: number): number | undefined {
  const base = /^0x[0-9a-f]+$/i.test(text) ? 16 : /^0[0-7]+$/.test(text) ? 8 : /^(0|[1-9]\d*)$/.test(text) ? 10 : 0;
  if (base === 0) return undefined;
  const value = Number.parseInt(base === 16 ? text.slice(2) : text, base);
  return value <= max ? value : undefined;
}

/** The number of an option, between two bounds. */
export function numberOf(options: Options, use: OptionUse, min: number, max: number): number {
  const value = parseNumber(use.values[0]!, max);
  if (value === undefined || value < min)
    options.fail("bad-number", `${use.name} needs a whole number from ${min} to ${max}, not "${use.values[0]}"`, use);
  return value;
}

/** `VALUE` or `VALUE/MASK`, uint32 both (xtables_parse_mark_mask). */
export function markOf(options: Options, use: OptionUse): { value: number; mask: number } {
  const text = use.values[0]!;
  const slash = text.indexOf("/");
  const value = parseNumber(slash < 0 ? text : text.slice(0, slash), UINT32);
  const mask = slash < 0 ? UINT32 : parseNumber(text.slice(slash + 1), UINT32);
  if (value === undefined || mask === undefined)
    options.fail("bad-mark", `${use.name} needs VALUE or VALUE/MASK of 32 bits, not "${text}"`, use);
  return { value, mask };
}

export function hex(value: number): string {
  return `0x${value.toString(16)}`;
}

/** Names of services that iptables would look up in /etc/services; the commonest only. */
const services: Readonly<Record<string, number>> = {
  "ftp-data": 20,
  ftp: 21,
  ssh: 22,
  telnet: 23,
  smtp: 25,
  domain: 53,
  bootps: 67,
  bootpc: 68,
  tftp: 69,
  http: 80,
  kerberos: 88,
  pop3: 110,
  sunrpc: 111,
  ntp: 123,
  imap2: 143,
  snmp: 161,
  bgp: 179,
  ldap: 389,
  https: 443,
  syslog: 514,
  ldaps: 636,
  imaps: 993,
  mysql: 3306,
  postgresql: 5432,
};

export function parsePort(text: string): number | undefined {
  return parseNumber(text, 0xffff) ?? (Object.hasOwn(services, text) ? services[text] : undefined);
}

/** `PORT` or `PORT:PORT`; where `open`, either end may be left out (xtables_parse_ports, xt_tcp). */
export function portRangeOf(options: Options, use: OptionUse, text: string, open: boolean): PortRange {
  const colon = text.indexOf(":");
  const end = (part: string, otherwise: number): number => {
    if (part === "" && open && colon >= 0) return otherwise;
    const port = parsePort(part);
    if (port === undefined) options.fail("bad-port", `${use.name} needs a port from 0 to 65535, not "${part}"`, use);
    return port;
  };
  if (colon < 0) {
    const port = end(text, 0);
    return [port, port];
  }
  const range: PortRange = [end(text.slice(0, colon), 0), end(text.slice(colon + 1), 0xffff)];
  if (range[0] > range[1]) options.fail("bad-port", `the port range ${text} is empty: write the lower port first`, use);
  return range;
}

export function formatPortRange([first, last]: PortRange, separator = ":"): string {
  return first === last ? String(first) : `${first}${separator}${last}`;
}

export interface InterfaceName {
  readonly name: string;
  readonly prefix: boolean;
}

/** Characters an interface name may have: IFNAMSIZ less the final NUL. */
const INTERFACE_NAME = 15;

/** Reads an interface name, `+` at its end meaning every name that begins so; undefined where it cannot be one. */
export function parseInterface(text: string): InterfaceName | undefined {
  if (text === "" || text.length > INTERFACE_NAME || /[\s/]/.test(text)) return undefined;
  return text.endsWith("+") ? { name: text.slice(0, -1), prefix: true } : { name: text, prefix: false };
}

export function formatInterface(test: InterfaceName): string {
  return test.prefix ? `${test.name}+` : test.name;
}

export function interfaceOf(options: Options, use: OptionUse): InterfaceName {
  return (
    parseInterface(use.values[0]!) ??
    options.fail("bad-interface", `${use.name} needs an interface name of 1 to ${INTERFACE_NAME} characters`, use)
  );
}

export function addressOf(options: Options, use: OptionUse, text: string): Address {
  const address = parseAddress(text);
  if (address === undefined || familyOf(address) !== options.family)
    options.fail("bad-address", badAddress(use.name, text, options.family), use);
  return address;
}

export function prefixOf(options: Options, use: OptionUse): MaskedAddress {
  const text = use.values[0]!;
  const prefix = parsePrefix(text);
  if (prefix === undefined || familyOf(prefix.value) !== options.family)
    options.fail("bad-address", badAddress(use.name, text, options.family), use);
  return prefix;
}

export function badAddress(option: string, text: string, family: Family): string {
  return `${option} needs an ${family === "ip" ? "IPv4" : "IPv6"} address or prefix, not "${text}"`;
}
