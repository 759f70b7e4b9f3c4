/** Rules as kube-proxy sends them to iptables-restore: those iptables-save prints, with the words in another order and values spelled shorter. */
import { formatAddress } from "../../packet/address.js";
import { formatPrefix, prefixLength } from "../../packet/prefix.js";
import { protocolName } from "../../packet/protocol.js";
import type {
  AddressMatch,
  InterfaceMatch,
  Rule,
  SetMarkAction,
  Statement,
  TransportMatch,
} from "../../ruleset/types.js";
import { printRule } from "../../syntax/iptables/printer.js";

/** Numerator of the share a draw without limit would have. */
const ALWAYS = 2 ** 31;

/** Words of a rule that stand at its head in the IR, whatever the command line's order was. */
interface Header {
  destination: AddressMatch | undefined;
  source: AddressMatch | undefined;
  incoming: InterfaceMatch | undefined;
}

/**
 * `-A CHAIN ...` as syncProxyRules of v1.24 and later spells it (pkg/proxy/iptables/proxier.go): comment, protocol, destination, port,
 * source or interface, other matches, target. `decimals` is the length of a probability.
 */
export function printRestoreRule(rule: Rule, chain: string, decimals: number): string {
  const header: Header = { destination: undefined, source: undefined, incoming: undefined };
  const rest: Statement[] = [];
  for (const one of rule.statements) {
    if (one.kind === "address") header[one.field === "saddr" ? "source" : "destination"] = one;
    else if (one.kind === "interface") header.incoming = one;
    else if (one.kind !== "protocol") rest.push(one);
  }
  const { destination, source, incoming } = header;
  const from = addressWords("-s", source) + interfaceWords(incoming);
  const words = rest.map((one) => {
    if (one.kind !== "transport") return statementWords(one, decimals);
    const name = protocolName(one.protocol!);
    return ` -m ${name} -p ${name}${addressWords("-d", destination)}${portWords(one)}${from}`;
  });
  if (!rest.some((one) => one.kind === "transport")) {
    const last = destination?.negate === true;
    const at = rest[0]?.kind === "comment" ? 1 : 0;
    words.splice(at, 0, `${last ? "" : addressWords("-d", destination)}${from}`);
    if (last) words.splice(-1, 0, addressWords("-d", destination));
  }
  return `-A ${chain}${words.join("")}`;
}

function statementWords(one: Statement, decimals: number): string {
  switch (one.kind) {
    case "comment":
      return ` -m comment --comment ${one.text.includes(" ") ? `"${one.text}"` : one.text}`;
    case "random":
      return ` -m statistic --mode random --probability ${(1 / Math.round(ALWAYS / one.threshold)).toFixed(decimals)}`;
    case "recent": {
      const seconds = one.seconds === undefined ? "" : ` --seconds ${one.seconds}`;
      return ` -m recent --name ${one.name} --${one.action}${seconds}${one.reap === true ? " --reap" : ""}`;
    }
    case "accounting":
      return ` -m nfacct --nfacct-name ${one.name}`;
    case "mark": {
      const mask = hexadecimal(one.mask);
      return ` -m mark${one.negate ? " !" : ""} --mark ${hexadecimal(one.value)}/${mask}`;
    }
    case "reject":
      return " -j REJECT";
    case "set-mark":
      return markWords(one);
    default:
      return printRule({ statements: [one] }, "").slice("-A ".length);
  }
}

function markWords({ clear, xor }: SetMarkAction): string {
  const option = clear === 0 ? "--xor-mark" : "--or-mark";
  return ` -j MARK ${option} ${hexadecimal(xor)}`;
}

/** Go's %#08x. */
function hexadecimal(mark: number): string {
  return `0x${mark.toString(16).padStart(8, "0")}`;
}

function addressWords(option: string, match: AddressMatch | undefined): string {
  if (match === undefined) return "";
  const host = prefixLength(match.mask) === (typeof match.mask === "number" ? 32 : 128);
  return `${match.negate ? " !" : ""} ${option} ${host ? formatAddress(match.value) : formatPrefix(match)}`;
}

function interfaceWords(match: InterfaceMatch | undefined): string {
  return match === undefined ? "" : `${match.negate ? " !" : ""} -i ${match.name}${match.prefix ? "+" : ""}`;
}

function portWords(match: TransportMatch): string {
  const port = match.dport?.ranges[0]?.[0];
  return port === undefined ? "" : ` --dport ${port}`;
}
