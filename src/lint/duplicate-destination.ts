import { formatAddress, formatEndpoint } from "../packet/address.js";
import { protocolName } from "../packet/protocol.js";
import type { Statement } from "../ruleset/types.js";
import { placeOf } from "./place.js";
import type { PlacedFrontend } from "./services.js";
import type { Check, Finding } from "./types.js";

export const duplicateDestination: Check = {
  code: "duplicate-destination",
  summary: "Two services on one address and port, or on one node port: the first takes all packets.",
  severity: "error",
  find({ frontends: tables }) {
    return tables.flatMap((frontends) => {
      const firsts = new Map<string, PlacedFrontend>();
      const findings: Finding[] = [];
      for (const one of frontends) {
        if (!one.rule.statements.every(isPlain)) continue;
        const key = `${one.address === undefined ? "node port" : formatAddress(one.address)} ${one.protocol} ${one.port}`;
        const first = firsts.get(key);
        if (first === undefined) firsts.set(key, one);
        else if (!sameService(first, one)) findings.push(describe(first, one));
      }
      return findings;
    });
  },
};

/** Tests a rule of kube-proxy has for nothing but its destination; a rule with others may well share it. */
function isPlain(statement: Statement): boolean {
  switch (statement.kind) {
    case "address":
      return statement.field === "daddr" && !statement.negate;
    case "transport":
      return statement.sport === undefined && statement.flags === undefined && statement.dport?.negate === false;
    case "protocol":
    case "comment":
    case "accounting":
    case "jump":
    case "goto":
    case "reject":
    case "drop":
      return true;
    case "address-type":
      return statement.source === undefined;
    default:
      return false;
  }
}

function sameService(a: PlacedFrontend, b: PlacedFrontend): boolean {
  if (a.chain !== undefined && b.chain !== undefined) return a.chain.hash === b.chain.hash;
  return a.label === b.label;
}

function describe(first: PlacedFrontend, second: PlacedFrontend): Finding {
  const { address, port, protocol } = second;
  const where = address === undefined ? `node port ${port}` : formatEndpoint(address, port);
  return {
    code: "duplicate-destination",
    severity: "error",
    message: `${where} ${protocolName(protocol)} belongs to ${first.label} and to ${second.label}: the rule of ${first.label} stands first and takes all packets`,
    right: "an address and port of its own for each service",
    place: placeOf(second.at),
    related: [{ ...placeOf(first.at), message: "takes the packets" }],
  };
}
