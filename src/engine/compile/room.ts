/** Room in a flat array, for runs of rows that come and go: a free list for each length, and fresh room at the end. */
export class Room {
  /** Everything from here on is free. */
  end = 0;
  private readonly free = new Map<number, number[]>();

  /** The first row of a run of free rows. It may end behind what the array holds: see `end`. */
  take(length: number): number {
    const reused = this.free.get(length)?.pop();
    if (reused !== undefined) return reused;
    const first = this.end;
    this.end += length;
    return first;
  }

  /** Gives a run back. */
  give(first: number, length: number): void {
    if (length === 0) return;
    const known = this.free.get(length);
    if (known === undefined) this.free.set(length, [first]);
    else known.push(first);
  }
}

/** A typed array of which a longer copy can be made. */
export type Words = Int32Array | Uint32Array | Uint16Array | Uint8Array | Float64Array;

/** A copy with room for `length` elements, the new ones 0. */
export function widen<A extends Words>(array: A, length: number): A {
  const wider = new (array.constructor as new (length: number) => A)(length);
  wider.set(array as never);
  return wider;
}

/** The capacity to grow to where `wanted` does not fit: growing is rare, and at most a quarter stands empty. */
export function roomFor(wanted: number): number {
  return Math.ceil(wanted * 1.25) + 64;
}
