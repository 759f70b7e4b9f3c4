/** Words of the command line to values. A bad word is reported by commander with the option it belongs to. */
import { InvalidArgumentError } from "commander";
import { type Address, parseAddress, parseEndpoint } from "../../packet/address.js";
import { CtState, type CtStateName } from "../../packet/connection.js";
import type { RouteEntry } from "../../packet/node.js";
import type { Entrance } from "../../packet/packet.js";
import { parsePrefix, prefixLength } from "../../packet/prefix.js";
import { parseProtocol } from "../../packet/protocol.js";
import { fixedSizes, geometricSizes, MOST_PACKETS, paretoSizes, type Sizes } from "../../traffic/sizes.js";

/** An address with its port; a port of null was not given. */
export interface EndpointWord {
  readonly address: Address;
  readonly port: number | null;
}

/** `IP:PORT`, `[IP]:PORT`, or an address alone. */
export function endpointWord(text: string): EndpointWord {
  const whole = parseEndpoint(text);
  if (whole !== undefined) return whole;
  const address = addressIn(text);
  if (address === undefined) throw new InvalidArgumentError("Expected IP:PORT, or [IP]:PORT for IPv6.");
  return { address, port: null };
}

function addressIn(text: string): Address | undefined {
  return parseAddress(/^\[(.*)\]$/.exec(text)?.[1] ?? text);
}

export function addressWord(text: string): Address {
  const address = addressIn(text);
  if (address === undefined) throw new InvalidArgumentError("Expected an IPv4 or IPv6 address.");
  return address;
}

export function protocolWord(text: string): number {
  const protocol = parseProtocol(text);
  if (protocol === undefined)
    throw new InvalidArgumentError("Expected a protocol such as tcp, udp, sctp, icmp, or its number.");
  return protocol;
}

/** A whole number between two others, both allowed. */
export function wholeWord(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < least || value > most)
      throw new InvalidArgumentError(`Expected a whole number from ${least} to ${most}.`);
    return value;
  };
}

/** A number between 0 and 1, both allowed. */
export function shareWord(text: string): number {
  const value = Number(text);
  if (!/^(\d+\.?\d*|\.\d+)(e-?\d+)?$/i.test(text) || !(value <= 1))
    throw new InvalidArgumentError("Expected a number from 0 to 1.");
  return value;
}

/** Packets per connection: `fixed:N`, `geometric:MEAN`, `pareto:SHAPE`. */
export function sizesWord(text: string): Sizes {
  const [, kind, figure] = /^(fixed|geometric|pareto):(\d+(?:\.\d+)?)$/.exec(text) ?? [];
  try {
    if (kind === "fixed") return fixedSizes(Number(figure));
    if (kind === "geometric") return geometricSizes(Number(figure));
    if (kind === "pareto") return paretoSizes(Number(figure));
  } catch (thrown) {
    if (!(thrown instanceof RangeError)) throw thrown;
  }
  throw new InvalidArgumentError(
    `Expected fixed:N, geometric:MEAN (1 to ${MOST_PACKETS} packets) or pareto:SHAPE (0.5 to 10).`,
  );
}

/** Percent, from 0 to 1000, as a share. */
export function percentWord(text: string): number {
  const value = Number(text.replace(/%$/, ""));
  if (!/^(\d+\.?\d*|\.\d+)%?$/.test(text) || value > 1000)
    throw new InvalidArgumentError("Expected percent, from 0 to 1000.");
  return value / 100;
}

/** A packet mark: a uint32, decimal or with 0x. */
export function markWord(text: string): number {
  const value = /^(0x[0-9a-f]{1,8}|\d{1,10})$/i.test(text) ? Number(text) : Infinity;
  if (value > 0xffffffff) throw new InvalidArgumentError("Expected a mark of 32 bits, such as 0x4000.");
  return value;
}

/** One of some words, whatever the case of its letters. */
export function choiceWord<const T extends string>(choices: readonly T[]): (text: string) => T {
  return (text) => {
    const chosen = choices.find((choice) => choice.toLowerCase() === text.toLowerCase());
    if (chosen === undefined) throw new InvalidArgumentError(`Expected one of ${choices.join(", ")}.`);
    return chosen;
  };
}

export const hookWord: (text: string) => Entrance = choiceWord(["prerouting", "output"]);
export const ctStateWord: (text: string) => CtStateName = choiceWord(
  (Object.keys(CtState) as (keyof typeof CtState)[]).filter((name) => name !== "snat" && name !== "dnat"),
);

/** `CIDR=IF`. */
export function routeWord(text: string): RouteEntry {
  const [, prefixText, oif] = /^(.*)=([^=\s]{1,15})$/.exec(text) ?? [];
  const prefix = prefixText === undefined ? undefined : parsePrefix(prefixText);
  if (prefix === undefined || oif === undefined || prefixLength(prefix.mask) < 0)
    throw new InvalidArgumentError("Expected CIDR=INTERFACE, such as 10.244.1.0/24=cni0.");
  return { ...prefix, oif };
}

/** What to take an unknown match or target for: the line of its rule, and whether it holds. */
export interface Assumption {
  readonly line: number;
  readonly holds: boolean;
}

/** `LINE=yes` or `LINE=no`. */
export function assumptionWord(text: string): Assumption {
  const parts = /^(\d{1,9})=(yes|no)$/i.exec(text);
  if (parts === null) throw new InvalidArgumentError("Expected LINE=yes or LINE=no, such as 42=no.");
  return { line: Number(parts[1]), holds: parts[2]!.toLowerCase() === "yes" };
}

/** Makes an option that may be given several times collect its values. */
export function several<T>(
  read: (text: string) => T,
): (text: string, before: readonly T[] | undefined) => readonly T[] {
  return (text, before = []) => [...before, read(text)];
}
