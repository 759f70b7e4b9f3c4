import type { FollowInput } from "./follow.js";

/** What a service map is keyed by. The address is an uint32. */
export interface DestinationKey {
  readonly address: number;
  readonly protocol: number;
  readonly port: number;
}

/** Every {address, port, protocol} that some row names, node ports at every address of the node; each once. */
export function* destinations({ columns, node }: FollowInput): Generator<DestinationKey> {
  const found = new Map<number, Set<number>>();
  for (let chain = 0; chain < columns.chainStart.length; chain++) {
    for (let row = columns.chainStart[chain]!; row < columns.chainEnd[chain]!; row++) {
      for (const { address, protocol, port } of destinationsOf(row, { columns, node })) {
        const key = (protocol << 16) | port;
        const held = found.get(address);
        if (held === undefined) found.set(address, new Set([key]));
        else if (held.has(key)) continue;
        else held.add(key);
      }
    }
  }
  for (const [address, keys] of found)
    for (const key of keys) yield { address, protocol: key >>> 16, port: key & 0xffff };
}

/** The destinations that a row names. */
export function destinationsOf(
  row: number,
  { columns, node }: Pick<FollowInput, "columns" | "node">,
): readonly DestinationKey[] {
  const protocol = columns.protocol[row]!;
  const port = columns.dportFirst[row]!;
  if (protocol === 0 || port !== columns.dportLast[row]) return NONE;
  const mask = columns.dst[2 * row + 1]!;
  if (mask === 0xffffffff) return [{ address: columns.dst[2 * row]!, protocol, port }];
  if (mask !== 0) return NONE;
  return node.addresses.flatMap((address) => (typeof address === "number" ? { address, protocol, port } : []));
}

const NONE: readonly DestinationKey[] = [];
