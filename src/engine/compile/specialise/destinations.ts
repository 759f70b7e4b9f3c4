import { Source } from "../key-table.js";
import { Op } from "../operations.js";
import type { FollowInput } from "./follow.js";

/** What a service map is keyed by. The address is an uint32. */
export interface DestinationKey {
  readonly address: number;
  readonly protocol: number;
  readonly port: number;
}

/** Every {address, port, protocol} that some row names, node ports at every address of the node; each once. */
export function* destinations(input: FollowInput): Generator<DestinationKey> {
  const found = new Map<number, Set<number>>();
  for (const { address, protocol, port } of namings(input)) {
    const key = (protocol << 16) | port;
    const held = found.get(address);
    if (held === undefined) found.set(address, new Set([key]));
    else held.add(key);
  }
  for (const [address, keys] of found)
    for (const key of keys) yield { address, protocol: key >>> 16, port: key & 0xffff };
}

/** The destinations that the rows name, once for each row that does. */
export function* namings(input: FollowInput): Generator<DestinationKey> {
  const { chainStart, chainEnd } = input.columns;
  for (let chain = 0; chain < chainStart.length; chain++)
    for (let row = chainStart[chain]!; row < chainEnd[chain]!; row++) yield* destinationsOf(row, input);
}

/** The destinations that a row names: by what it compares, or by the keys of a verdict map. */
export function destinationsOf(
  row: number,
  { columns, node }: Pick<FollowInput, "columns" | "node">,
): readonly DestinationKey[] {
  const protocol = columns.protocol[row]!;
  const port = columns.dportFirst[row]!;
  if (protocol === 0 || port !== columns.dportLast[row]) return keysOf(row, { columns, node });
  const mask = columns.dst[2 * row + 1]!;
  if (mask === 0xffffffff) return [{ address: columns.dst[2 * row]!, protocol, port }];
  if (mask !== 0) return NONE;
  return atNode(node, protocol, port);
}

/** The keys of the row's verdict map, where they say protocol and port, and the address or none. */
function keysOf(row: number, { columns, node }: Pick<FollowInput, "columns" | "node">): readonly DestinationKey[] {
  const { code, tables } = columns;
  for (let pc = columns.entry[row]!; code[pc] !== Op.end && code[pc] !== Op.general; pc += 4) {
    if (code[pc] !== Op.verdictMap) continue;
    const { fields, exact } = tables.rows[code[pc + 1]!]!;
    const [address, protocol, port] = [Source.dst, Source.protocol, Source.dport].map((source) =>
      fields.findIndex((field) => field.source === source && field.mask === -1 && field.xor === 0),
    ) as [number, number, number];
    if (protocol < 0 || port < 0) return NONE;
    return exact.flatMap(({ key }): readonly DestinationKey[] => {
      if (address < 0) return atNode(node, key[protocol]!, key[port]!);
      return [{ address: key[address]! >>> 0, protocol: key[protocol]!, port: key[port]! }];
    });
  }
  return NONE;
}

function atNode(node: FollowInput["node"], protocol: number, port: number): readonly DestinationKey[] {
  return node.addresses.flatMap((address) => (typeof address === "number" ? { address, protocol, port } : []));
}

const NONE: readonly DestinationKey[] = [];
