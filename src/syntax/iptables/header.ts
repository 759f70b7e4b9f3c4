/** What iptables tests without a module: `-s -d -i -o -p -f`, in the order in which it prints them. */
import { familyOf, type Family, formatAddress, parseDotted } from "../../packet/address.js";
import { type MaskedAddress, parsePrefix, prefixLength } from "../../packet/prefix.js";
import { parseProtocol, protocolName } from "../../packet/protocol.js";
import type { AddressMatch, Match } from "../../ruleset/types.js";
import { BadInput } from "./module.js";
import type { HeaderKind } from "./registry.js";
import { badAddress, formatInterface, parseInterface } from "./values.js";

export type HeaderMatch = Extract<Match, { readonly kind: HeaderKind }>;
/** The letter of the option. */
export type HeaderOption = "s" | "d" | "i" | "o" | "p" | "f";

/** Place of a header statement in a rule, from 0; -1 for every other statement. */
export function headerPlace(statement: { readonly kind: string; readonly field?: unknown }): number {
  switch (statement.kind) {
    case "address":
      return statement.field === "saddr" ? 0 : 1;
    case "interface":
      return statement.field === "iif" ? 2 : 3;
    case "protocol":
      return 4;
    case "fragment":
      return 5;
    default:
      return -1;
  }
}

export const HEADER_PLACES = 6;

/** The long names of the options of a rule itself. */
export const longOptions: ReadonlyMap<string, string> = new Map([
  ["--source", "s"],
  ["--src", "s"],
  ["--destination", "d"],
  ["--dst", "d"],
  ["--in-interface", "i"],
  ["--out-interface", "o"],
  ["--protocol", "p"],
  ["--proto", "p"],
  ["--fragment", "f"],
  ["--match", "m"],
  ["--jump", "j"],
  ["--goto", "g"],
  ["--set-counters", "c"],
  ["--append", "A"],
  ["--insert", "I"],
  ["--ipv4", "4"],
  ["--ipv6", "6"],
]);

/**
 * Reads the value of `-s`, `-d`, `-i`, `-o` or `-p`. What tests nothing (`-s 0.0.0.0/0`, `-i +`, `-p all`) gives no statement, as in
 * iptables; several addresses with commas between give several, of which each makes a rule.
 */
export function parseHeader(
  option: HeaderOption,
  text: string,
  negate: boolean,
  family: Family,
  at: number,
): HeaderMatch[] {
  switch (option) {
    case "s":
    case "d":
      return addresses(option, text, negate, family, at);
    case "i":
    case "o": {
      const name = parseInterface(text);
      if (name === undefined)
        throw new BadInput(
          "bad-interface",
          `-${option} needs an interface name of 1 to 15 characters, not "${text}"`,
          at,
        );
      if (name.prefix && name.name === "" && !negate) return [];
      return [{ kind: "interface", field: option === "i" ? "iif" : "oif", ...name, negate }];
    }
    case "p": {
      const protocol = text.toLowerCase() === "all" ? 0 : parseProtocol(text);
      if (protocol === undefined)
        throw new BadInput(
          "bad-protocol",
          `unknown protocol "${text}": use a name such as tcp, or a number from 0 to 255`,
          at,
        );
      if (protocol === 0 && negate) throw new BadInput("bad-protocol", "`! -p all` would match nothing", at);
      return protocol === 0 ? [] : [{ kind: "protocol", protocol, negate }];
    }
    case "f":
      if (family === "ip6") throw new BadInput("unknown-option", "-f does not exist in IPv6: use -m frag", at);
      return [{ kind: "fragment", negate }];
  }
}

function addresses(option: "s" | "d", text: string, negate: boolean, family: Family, at: number): AddressMatch[] {
  if (family === "ip" && text.endsWith("/32")) {
    const value = parseDotted(text, 0, text.length - 3); // nearly all of a large dump
    if (value >= 0)
      return [{ kind: "address", field: option === "s" ? "saddr" : "daddr", value, mask: 0xffffffff, negate }];
  }
  const prefixes = text.includes(",") ? text.split(",") : [text];
  if (prefixes.length > 1 && negate)
    throw new BadInput("negated-list", `! -${option} takes one address: a list of them would match everything`, at);
  const read: AddressMatch[] = [];
  for (const part of prefixes) {
    const prefix = parsePrefix(part);
    if (prefix === undefined || familyOf(prefix.value) !== family)
      throw new BadInput("bad-address", badAddress(`-${option}`, part, family), at);
    if (prefixes.length === 1 && isEverything(prefix) && !negate) return [];
    const field = option === "s" ? "saddr" : "daddr";
    read.push({ kind: "address", field, value: prefix.value, mask: prefix.mask, negate });
  }
  return read;
}

function isEverything({ mask }: MaskedAddress): boolean {
  return typeof mask === "number" ? mask === 0 : mask.every((word) => word === 0);
}

/** As iptables-save prints it, with the blank before it. */
export function printHeader(match: HeaderMatch): string {
  const not = match.negate ? " !" : "";
  switch (match.kind) {
    case "address": {
      const length = prefixLength(match.mask);
      const mask = length >= 0 ? length : formatAddress(match.mask);
      return `${not} -${match.field === "saddr" ? "s" : "d"} ${formatAddress(match.value)}/${mask}`;
    }
    case "interface":
      return `${not} -${match.field === "iif" ? "i" : "o"} ${formatInterface(match)}`;
    case "protocol":
      return `${not} -p ${protocolName(match.protocol)}`;
    case "fragment":
      return `${not} -f`;
  }
}
