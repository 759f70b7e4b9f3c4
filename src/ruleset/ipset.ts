import type { KeyPart } from "./types.js";

/** What a dimension of an ipset compares; `net` holds prefixes. */
export type IpSetDimension = "ip" | "net" | "port" | "mark" | "iface" | "mac";

/** An element: one part a dimension. A port part is `{protocol, ports}`, which bitmap:port leaves open (protocol null). */
export interface IpSetElement {
  readonly parts: readonly (KeyPart | IpSetPort)[];
  /** `nomatch`: an exception inside a larger net. */
  readonly nomatch?: true;
}

export interface IpSetPort {
  readonly protocol: number | null;
  readonly first: number;
  readonly last: number;
}

/** An ipset as `ipset save` prints it: `create NAME TYPE ...`, then its elements. */
export interface IpSet {
  readonly name: string;
  /** `hash:ip,port`, `bitmap:port`, `list:set`, ... */
  readonly type: string;
  readonly family: "ip" | "ip6";
  readonly dimensions: readonly IpSetDimension[];
  readonly elements: readonly IpSetElement[];
}
