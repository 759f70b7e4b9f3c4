/** Sets and maps of a table. Part of the language: see types.ts. */
import type { MapElement } from "./actions.js";
import type { Expression } from "./expressions.js";
import type { DataElement, SetElement, Span } from "./values.js";

export type KeyType =
  | "ipv4_addr"
  | "ipv6_addr"
  | "inet_proto"
  | "inet_service"
  | "icmp_type"
  | "icmpv6_type"
  | "ifname"
  | "mark"
  | "ct_state"
  | "nf_proto"
  | "iface_index"
  | "icmp_code"
  | "icmpv6_code"
  | "tcp_flag"
  | "ct_status"
  | "ct_dir"
  | "fib_addrtype"
  | "integer";

/** A named set of a table. */
export interface SetDefinition {
  readonly name: string;
  readonly type: readonly KeyType[];
  /** The expressions the types were given by (`typeof ip saddr . tcp dport`): those of the key, then those of a map's value. */
  readonly typeof?: readonly Expression[];
  readonly flags: readonly ("constant" | "interval" | "timeout" | "dynamic")[];
  /** Milliseconds. */
  readonly timeout?: number;
  /** Milliseconds between two clean-ups of what has timed out; it has no bearing on what a lookup finds. */
  readonly gcInterval?: number;
  readonly size?: number;
  readonly policy?: "performance" | "memory";
  readonly autoMerge?: true;
  /** Each element counts the packets that find it. */
  readonly counter?: true;
  readonly comment?: string;
  readonly elements: readonly SetElement[];
  readonly span?: Span;
}

/** A named map of a table: to verdicts, or to values of the given types. */
export type MapDefinition = VerdictMapDefinition | DataMapDefinition;

export interface VerdictMapDefinition extends Omit<SetDefinition, "elements"> {
  readonly value: "verdict";
  readonly elements: readonly MapElement[];
}

export interface DataMapDefinition extends Omit<SetDefinition, "elements"> {
  readonly value: readonly KeyType[];
  readonly elements: readonly DataElement[];
}
