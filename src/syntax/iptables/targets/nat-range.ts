/** What the four translations share: where they may go to (extensions/libxt_NAT.c), as text and as NatRange. */
import { type Address, formatAddress, parseDotted } from "../../../packet/address.js";
import type { NatRange, PortRange } from "../../../ruleset/types.js";
import type { Options, OptionUse } from "../module.js";
import { addressOf, formatPortRange, parsePort } from "../values.js";

/** The flags, in the order iptables-save prints them. */
const flags = [
  ["--random", "random"],
  ["--random-fully", "fullyRandom"],
  ["--persistent", "persistent"],
] as const;

const NO_FLAGS = {};

/** Reads `ADDRESS[-ADDRESS][:PORT[-PORT]]`, where an IPv6 address with a port stands in brackets. */
export function parseRange(options: Options, use: OptionUse): NatRange {
  const text = use.values[0]!;
  if (options.family === "ip") {
    const colon = text.indexOf(":");
    const value = parseDotted(text, 0, colon < 0 ? text.length : colon);
    const port = colon < 0 ? 0 : parsePort(text.slice(colon + 1));
    if (value >= 0 && port !== undefined) {
      const addresses: [number, number] = [value, value];
      return colon < 0 ? { addresses } : { addresses, ports: [port, port] };
    }
  }
  const bracket = text.indexOf("]");
  const colon =
    options.family === "ip" ? text.indexOf(":") : bracket >= 0 ? text.indexOf(":", bracket) : text.search(/^:\d/);
  let hosts = colon < 0 ? text : text.slice(0, colon);
  if (hosts.startsWith("[")) {
    if (!hosts.endsWith("]"))
      options.fail("bad-address", `${use.name} needs [ADDRESS]:PORT with the bracket closed, not "${text}"`, use);
    hosts = hosts.slice(1, -1);
  }
  return {
    ...(hosts === "" && colon >= 0 ? {} : { addresses: parseAddresses(options, use, hosts) }),
    ...(colon < 0 ? {} : { ports: parsePorts(options, use, text.slice(colon + 1)) }),
  };
}

function parseAddresses(options: Options, use: OptionUse, text: string): readonly [Address, Address] {
  const [first, last = first, ...rest] = text.split("-") as [string, ...string[]];
  if (rest.length > 0) options.fail("bad-address", `${use.name} needs ADDRESS or FIRST-LAST, not "${text}"`, use);
  return [addressOf(options, use, first), addressOf(options, use, last)];
}

/** Reads `PORT` or `PORT-PORT`. */
export function parsePorts(options: Options, use: OptionUse, text: string): PortRange {
  const [first, last = first, ...rest] = text.split("-") as [string, ...string[]];
  const range = [parsePort(first), parsePort(last)];
  if (range[0] === undefined || range[1] === undefined || rest.length > 0)
    options.fail("bad-port", `${use.name} needs a port from 0 to 65535 or FIRST-LAST, not "${text}"`, use);
  if (range[0] > range[1]) options.fail("bad-port", `the port range ${text} is empty: write the lower port first`, use);
  return [range[0], range[1]];
}

export function parseFlags(options: Options): Pick<NatRange, "random" | "fullyRandom" | "persistent"> {
  if (options.all().length < 2 && !flags.some(([name]) => options.has(name))) return NO_FLAGS;
  return Object.fromEntries(flags.filter(([name]) => options.has(name)).map(([, field]) => [field, true]));
}

export function printRange({ addresses, ports }: NatRange): string {
  if (addresses === undefined) return ports === undefined ? "" : `:${formatPortRange(ports, "-")}`;
  const first = formatAddress(addresses[0]);
  const last = formatAddress(addresses[1]);
  const hosts = first === last ? first : `${first}-${last}`;
  if (ports === undefined) return hosts;
  return `${typeof addresses[0] === "number" ? hosts : `[${hosts}]`}:${formatPortRange(ports, "-")}`;
}

export function printFlags(range: NatRange): string {
  return flags.map(([name, field]) => (range[field] === true ? ` ${name}` : "")).join("");
}
