import { SCTP, TCP, TcpFlag, UDP } from "../../../packet/protocol.js";
import { error, ProblemError } from "../../../ruleset/problem.js";
import type { FlagTest, PortTest, TransportMatch } from "../../../ruleset/types.js";
import type { MatchSyntax, Options, OptionSpecs, OptionUse } from "../module.js";
import { formatPortRange, portRangeOf } from "../values.js";

const ports: OptionSpecs = {
  "--sport": { values: 1, negate: true },
  "--source-port": { values: 1, negate: true, as: "--sport" },
  "--dport": { values: 1, negate: true },
  "--destination-port": { values: 1, negate: true, as: "--dport" },
};

const numbers: Readonly<Record<string, number>> = { tcp: TCP, udp: UDP, sctp: SCTP };
const names = new Map(Object.entries(numbers).map(([name, number]) => [number, name]));

const flagBits = Object.entries(TcpFlag);
const SYN_MASK = TcpFlag.FIN | TcpFlag.SYN | TcpFlag.RST | TcpFlag.ACK;
const ALL_FLAGS = 0x3f;

/** xt_tcp, xt_udp, xt_sctp (extensions/libxt_tcp.c, libxt_udp.c, libxt_sctp.c). A test that always holds is left out, as they do. */
export const transport: MatchSyntax<TransportMatch> = {
  kind: "transport",
  modules: {
    tcp: {
      ...ports,
      "--tcp-flags": { values: 2, negate: true },
      "--syn": { values: 0, negate: true },
      "--tcp-option": { values: 1, negate: true, opaque: true },
    },
    udp: ports,
    sctp: { ...ports, "--chunk-types": { values: 2, negate: true, opaque: true } },
  },
  parse: (options) => {
    const sport = portTest(options, "--sport");
    const dport = portTest(options, "--dport");
    const flags = flagTest(options);
    return {
      kind: "transport",
      protocol: numbers[options.module]!,
      ...(sport && { sport }),
      ...(dport && { dport }),
      ...(flags && { flags }),
    };
  },
  print: (match) => {
    const name = match.protocol === null ? undefined : names.get(match.protocol);
    if (name === undefined)
      throw new ProblemError(error("not-iptables", "iptables cannot test ports without naming tcp, udp or sctp"));
    return (
      ` -m ${name}` + printPorts("--sport", match.sport) + printPorts("--dport", match.dport) + printFlags(match.flags)
    );
  },
};

function portTest(options: Options, name: string): PortTest | undefined {
  const use = options.get(name);
  if (use === undefined) return undefined;
  const range = portRangeOf(options, use, use.values[0]!, true);
  if (range[0] === 0 && range[1] === 0xffff && !use.negate) return undefined;
  return { ranges: [range], negate: use.negate };
}

function printPorts(option: string, test: PortTest | undefined): string {
  if (test === undefined) return "";
  if (test.ranges.length !== 1)
    throw new ProblemError(error("not-iptables", "iptables tests one range of ports in -m tcp; use multiport"));
  return `${test.negate ? " !" : ""} ${option} ${formatPortRange(test.ranges[0]!)}`;
}

function flagTest(options: Options): FlagTest | undefined {
  const use = options.get("--tcp-flags");
  const syn = options.get("--syn");
  if (syn !== undefined) {
    if (use !== undefined) options.fail("conflicting-options", "--syn and --tcp-flags cannot be used together", use);
    return { mask: SYN_MASK, value: TcpFlag.SYN, negate: syn.negate };
  }
  if (use === undefined) return undefined;
  const mask = parseFlags(options, use, use.values[0]!);
  const value = parseFlags(options, use, use.values[1]!);
  return mask === 0 && value === 0 && !use.negate ? undefined : { mask, value, negate: use.negate };
}

function parseFlags(options: Options, use: OptionUse, text: string): number {
  let bits = 0;
  for (const name of text.toUpperCase().split(",")) {
    const bit = name === "ALL" ? ALL_FLAGS : name === "NONE" ? 0 : flagBits.find(([flag]) => flag === name)?.[1];
    if (bit === undefined)
      options.fail("bad-flag", `unknown TCP flag "${name}": use ${Object.keys(TcpFlag).join(", ")}, ALL or NONE`, use);
    bits |= bit;
  }
  return bits;
}

function formatFlags(bits: number): string {
  const set = flagBits.filter(([, bit]) => (bits & bit) !== 0).map(([name]) => name);
  return set.length === 0 ? "NONE" : set.join(",");
}

function printFlags(test: FlagTest | undefined): string {
  if (test === undefined) return "";
  return `${test.negate ? " !" : ""} --tcp-flags ${formatFlags(test.mask)} ${formatFlags(test.value)}`;
}
