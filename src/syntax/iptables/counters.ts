import type { Counters } from "../../ruleset/types.js";
import { BadInput } from "./module.js";

export const ZERO_COUNTERS: Counters = { packets: 0, bytes: 0 };

/** Reads packets and bytes; a number beyond 2^53 is refused, as it could not be held exactly. */
export function parseCounters(packets: string, bytes: string, at: number): Counters {
  const [p, b] = [packets, bytes].map((text) => (/^\d{1,20}$/.test(text) ? Number(text) : Number.NaN)) as [
    number,
    number,
  ];
  if (Number.isNaN(p) || Number.isNaN(b))
    throw new BadInput(
      "bad-counters",
      `counters are packets and bytes, two whole numbers, not ${packets} and ${bytes}`,
      at,
    );
  if (p > Number.MAX_SAFE_INTEGER || b > Number.MAX_SAFE_INTEGER)
    throw new BadInput("bad-counters", "a counter above 2^53 - 1 cannot be held exactly", at);
  return p === 0 && b === 0 ? ZERO_COUNTERS : { packets: p, bytes: b };
}

/** `[PACKETS:BYTES]`. */
export function bracketCounters(text: string, at: number): Counters {
  if (text === "[0:0]") return ZERO_COUNTERS;
  const parts = /^\[(\d+):(\d+)\]$/.exec(text);
  if (parts === null)
    throw new BadInput("bad-counters", `counters are [PACKETS:BYTES], two whole numbers, not ${text}`, at);
  return parseCounters(parts[1]!, parts[2]!, at);
}
