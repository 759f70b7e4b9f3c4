import { type Address, formatAddress, sameAddress } from "../../../packet/address.js";
import { CtState, CtStatus } from "../../../packet/connection.js";
import { maskAddress, prefixLength } from "../../../packet/prefix.js";
import { parseProtocol } from "../../../packet/protocol.js";
import type { AddressTest, BitsTest, ConntrackMatch, PortTest } from "../../../ruleset/types.js";
import type { MatchSyntax, Options, OptionSpec, OptionSpecs } from "../module.js";
import { addressOf, formatPortRange, portRangeOf, prefixOf } from "../values.js";

/**
 * How an address with bits outside its mask was written: iptables keeps and prints them (`--ctorigsrc 10.1.2.3/16`), though they
 * never count.
 */
export interface SpelledAddressTest extends AddressTest {
  readonly host?: Address;
}

const addresses = {
  "--ctorigsrc": "originalSource",
  "--ctorigdst": "originalDestination",
  "--ctreplsrc": "replySource",
  "--ctrepldst": "replyDestination",
} as const;
const ports = {
  "--ctorigsrcport": "originalSourcePort",
  "--ctorigdstport": "originalDestinationPort",
  "--ctreplsrcport": "replySourcePort",
  "--ctrepldstport": "replyDestinationPort",
} as const;

const states = Object.entries(CtState);
const statuses: readonly (readonly [string, number])[] = [
  ["EXPECTED", CtStatus.expected],
  ["SEEN_REPLY", CtStatus.seenReply],
  ["ASSURED", CtStatus.assured],
  ["CONFIRMED", CtStatus.confirmed],
];

const tested: OptionSpec = { values: 1, negate: true };
const conntrackOptions: OptionSpecs = {
  "--ctstate": tested,
  "--ctproto": tested,
  ...Object.fromEntries(Object.keys({ ...addresses, ...ports }).map((name) => [name, tested])),
  "--ctstatus": tested,
  "--ctexpire": { values: 1, negate: true, opaque: true },
  "--ctdir": { values: 1 },
};

/** xt_conntrack and its older spelling `-m state` (extensions/libxt_conntrack.c). */
export const conntrack: MatchSyntax<ConntrackMatch> = {
  kind: "conntrack",
  modules: { conntrack: conntrackOptions, state: { "--state": tested } },
  parse: (options) => {
    if (options.module === "state") {
      options.require("--state");
      return { kind: "conntrack", module: "state", state: stateTest(options, "--state")! };
    }
    if (options.all().length === 0) options.fail("missing-option", "conntrack needs at least one option");
    const tests: Record<string, unknown> = {
      state: stateTest(options, "--ctstate"),
      status: statusTest(options),
      protocol: protocolTest(options),
      direction: direction(options),
    };
    for (const [name, field] of Object.entries(addresses)) tests[field] = addressTest(options, name);
    for (const [name, field] of Object.entries(ports)) tests[field] = portTest(options, name);
    for (const [field, test] of Object.entries(tests)) if (test === undefined) delete tests[field];
    return { kind: "conntrack", module: "conntrack", ...tests };
  },
  print: (match) => {
    if (match.module === "state") return ` -m state${printBits("--state", match.state, stateNames(match.state))}`;
    let text = ` -m conntrack${printBits("--ctstate", match.state, stateNames(match.state))}`;
    if (match.protocol !== undefined) text += option("--ctproto", match.protocol.negate, match.protocol.protocol);
    for (const [name, field] of Object.entries(addresses)) {
      const test = match[field];
      if (test !== undefined) text += option(name, test.negate, formatTest(test));
    }
    for (const [name, field] of Object.entries(ports)) {
      const test = match[field];
      if (test !== undefined) text += option(name, test.negate, formatPortRange(test.ranges[0]!));
    }
    const set = statuses.filter(([, bit]) => ((match.status?.bits ?? 0) & bit) !== 0).map(([name]) => name);
    text += printBits("--ctstatus", match.status, set.length === 0 ? ["NONE"] : set);
    if (match.direction !== undefined) text += option("--ctdir", false, match.direction.toUpperCase());
    return text;
  },
};

function option(name: string, negate: boolean, value: string | number): string {
  return `${negate ? " !" : ""} ${name} ${value}`;
}

function printBits(name: string, test: BitsTest | undefined, names: readonly string[]): string {
  return test === undefined ? "" : option(name, test.negate, names.join(","));
}

function stateNames(test: BitsTest | undefined): string[] {
  return states.filter(([, bit]) => ((test?.bits ?? 0) & bit) !== 0).map(([name]) => name.toUpperCase());
}

function stateTest(options: Options, name: string): BitsTest | undefined {
  const use = options.get(name);
  if (use === undefined) return undefined;
  let bits = 0;
  for (const word of use.values[0]!.split(",")) {
    const bit = states.find(([state]) => state === word.toLowerCase())?.[1];
    if (bit === undefined || (name === "--state" && bit >= CtState.snat))
      options.fail("bad-state", `unknown connection state "${word}": use NEW, ESTABLISHED, RELATED, INVALID, ...`, use);
    bits |= bit;
  }
  return { bits, negate: use.negate };
}

function statusTest(options: Options): BitsTest | undefined {
  const use = options.get("--ctstatus");
  if (use === undefined) return undefined;
  let bits = 0;
  for (const word of use.values[0]!.toUpperCase().split(",")) {
    const bit = word === "NONE" ? 0 : statuses.find(([name]) => name === word)?.[1];
    if (bit === undefined)
      options.fail(
        "bad-status",
        `unknown connection status "${word}": use NONE, ${statuses.map(([n]) => n).join(", ")}`,
        use,
      );
    bits |= bit;
  }
  return { bits, negate: use.negate };
}

function protocolTest(options: Options): ConntrackMatch["protocol"] {
  const use = options.get("--ctproto");
  if (use === undefined) return undefined;
  const protocol = parseProtocol(use.values[0]!);
  if (protocol === undefined)
    options.fail("bad-protocol", `unknown protocol "${use.values[0]}": use a number from 0 to 255`, use);
  return { protocol, negate: use.negate };
}

function direction(options: Options): ConntrackMatch["direction"] {
  const use = options.get("--ctdir");
  const word = use?.values[0]!.toLowerCase();
  if (use === undefined || word === "original" || word === "reply") return word as ConntrackMatch["direction"];
  return options.fail("bad-direction", `--ctdir is ORIGINAL or REPLY, not "${use.values[0]}"`, use);
}

function addressTest(options: Options, name: string): SpelledAddressTest | undefined {
  const use = options.get(name);
  if (use === undefined) return undefined;
  const prefix = prefixOf(options, use);
  const host = addressOf(options, use, use.values[0]!.split("/")[0]!);
  return { ...prefix, negate: use.negate, ...(sameAddress(host, prefix.value) ? {} : { host }) };
}

function formatTest(test: SpelledAddressTest): string {
  const host =
    test.host !== undefined && sameAddress(maskAddress(test.host, test.mask), test.value) ? test.host : test.value;
  const length = prefixLength(test.mask);
  if (length === (typeof host === "number" ? 32 : 128)) return formatAddress(host);
  return `${formatAddress(host)}/${length >= 0 ? length : formatAddress(test.mask)}`;
}

function portTest(options: Options, name: string): PortTest | undefined {
  const use = options.get(name);
  return use && { ranges: [portRangeOf(options, use, use.values[0]!, false)], negate: use.negate };
}
