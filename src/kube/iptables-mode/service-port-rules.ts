import type { Address, Family } from "../../packet/address.js";
import type {
  AddressMatch,
  CommentMatch,
  Match,
  ProtocolMatch,
  Rule,
  Statement,
  TransportMatch,
} from "../../ruleset/types.js";
import { servicePortHash } from "../names.js";
import type { ServicePort } from "../services.js";
import {
  comment,
  destination,
  destinationHost,
  DESTINATION_LOCAL,
  DROP,
  loopback,
  protocol,
  reject,
  rule,
  transport,
} from "../statements.js";

/** A service port with the names and statements that several of its rules share. */
export class ServicePortRules {
  readonly port: ServicePort;
  /** `-p`, and `-m P --dport` of the service's own port. */
  readonly protocol: ProtocolMatch;
  readonly dport: TransportMatch;
  readonly svc: string;
  readonly svl: string;
  readonly ext: string;
  readonly fw: string;
  readonly xlb: string;

  constructor(port: ServicePort) {
    this.port = port;
    this.protocol = protocol(port.protocol);
    this.dport = transport(port.protocol, port.port);
    const hash = servicePortHash(port.name, port.protocolName);
    this.svc = `KUBE-SVC-${hash}`;
    this.svl = `KUBE-SVL-${hash}`;
    this.ext = `KUBE-EXT-${hash}`;
    this.fw = `KUBE-FW-${hash}`;
    this.xlb = `KUBE-XLB-${hash}`;
  }

  /** `-d ADDRESS -p P -m comment --comment "TEXT" -m P --dport PORT` and what follows; statements before them stand in `first`. */
  toAddress(address: Address, text: string, end: Statement, first: readonly Statement[] = []): Rule {
    return rule(...first, destinationHost(address), this.protocol, comment(text), this.dport, end);
  }

  /** The same with statements that are already made. */
  to(destination: readonly Statement[], text: CommentMatch, ...rest: Statement[]): Rule {
    return rule(...destination, this.protocol, text, this.dport, ...rest);
  }

  /** `-p P -m comment --comment "NAME" -m P --dport NODEPORT` and what follows. */
  toNodePort(end: Statement, ...first: AddressMatch[]): Rule {
    return rule(
      ...first,
      this.protocol,
      comment(this.port.name),
      transport(this.port.protocol, this.port.nodePort),
      end,
    );
  }

  /** A node port reached over 127.0.0.0/8, counted. */
  toLocalhostNodePort(counter: Match, end: Statement): Rule {
    const dport = transport(this.port.protocol, this.port.nodePort);
    return rule(destination(loopback("ip")), this.protocol, comment(this.port.name), dport, counter, end);
  }

  /** A node port without endpoints, on any local address. */
  toUnservedNodePort(text: string, end: Statement): Rule {
    const dport = transport(this.port.protocol, this.port.nodePort);
    return rule(this.protocol, comment(text), DESTINATION_LOCAL, dport, end);
  }

  /** What is done with packets to an address without usable endpoints, and the comment that says why. */
  unserved(hasAnyEndpoints: boolean, family: Family): { text: string; end: Statement } {
    return hasAnyEndpoints
      ? { text: `${this.port.name} has no local endpoints`, end: DROP }
      : { text: `${this.port.name} has no endpoints`, end: reject(family) };
  }
}
