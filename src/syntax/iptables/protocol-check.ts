import { hasPorts, isIcmp, protocolName } from "../../packet/protocol.js";
import type { ProtocolMatch, Statement } from "../../ruleset/types.js";

/** What iptables and the kernel refuse: a test of ports or ICMP types, or a translation of ports, without the `-p` it needs. */
export function missingProtocol(statement: Statement, given: ProtocolMatch | undefined): string | undefined {
  const protocol = given === undefined || given.negate ? undefined : given.protocol;
  switch (statement.kind) {
    case "transport":
      if (protocol !== undefined && protocol === statement.protocol) return undefined;
      return `-m ${protocolName(statement.protocol!)} needs -p ${protocolName(statement.protocol!)}`;
    case "icmp":
      if (protocol !== undefined && isIcmp(protocol) && protocol === statement.protocol) return undefined;
      return `a test of the ICMP type needs -p ${protocolName(statement.protocol)}`;
    case "multiport":
      return protocol !== undefined && hasPorts(protocol) ? undefined : `multiport needs ${PORT_PROTOCOLS}`;
    case "dnat":
    case "snat":
    case "masquerade":
    case "redirect":
      if (statement.to.ports === undefined || (protocol !== undefined && hasPorts(protocol))) return undefined;
      return `a translation of ports needs ${PORT_PROTOCOLS}`;
    default:
      return undefined;
  }
}

const PORT_PROTOCOLS = "-p tcp, udp, udplite, sctp or dccp";
