/** A set of integers as disjoint closed intervals in ascending order: [first0, last0, first1, last1, ...]. Immutable. */
export type IntervalSet = readonly number[];

export const EMPTY: IntervalSet = [];

export function interval(first: number, last: number): IntervalSet {
  return first > last ? EMPTY : [first, last];
}

/** The union of points and intervals in any order. */
export function unite(parts: readonly (readonly [first: number, last: number])[]): IntervalSet {
  const sorted = [...parts].sort((a, b) => a[0] - b[0]);
  const out: number[] = [];
  for (const [first, last] of sorted) {
    if (out.length > 0 && first <= out[out.length - 1]! + 1) {
      if (last > out[out.length - 1]!) out[out.length - 1] = last;
    } else out.push(first, last);
  }
  return out;
}

export function intersect(a: IntervalSet, b: IntervalSet): IntervalSet {
  const out: number[] = [];
  let i = 0;
  let j = b.length > 0 && a.length > 0 ? seek(b, a[0]!) : 0;
  while (i < a.length && j < b.length) {
    const first = Math.max(a[i]!, b[j]!);
    const last = Math.min(a[i + 1]!, b[j + 1]!);
    if (first <= last) out.push(first, last);
    if (a[i + 1]! < b[j + 1]!) i += 2;
    else j += 2;
  }
  return out;
}

/** The members of `a` that are not in `b`. */
export function subtract(a: IntervalSet, b: IntervalSet): IntervalSet {
  if (a.length === 0 || b.length === 0) return a;
  const out: number[] = [];
  let j = seek(b, a[0]!);
  for (let i = 0; i < a.length; i += 2) {
    let first = a[i]!;
    const last = a[i + 1]!;
    while (j < b.length && b[j + 1]! < first) j += 2;
    for (let k = j; k < b.length && b[k]! <= last && first <= last; k += 2) {
      if (b[k]! > first) out.push(first, b[k]! - 1);
      first = b[k + 1]! + 1;
    }
    if (first <= last) out.push(first, last);
  }
  return out;
}

/** The index of the first interval of `set` that does not end before `value`. */
function seek(set: IntervalSet, value: number): number {
  let low = 0;
  let high = set.length / 2;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (set[2 * middle + 1]! < value) low = middle + 1;
    else high = middle;
  }
  return 2 * low;
}

export function has(set: IntervalSet, value: number): boolean {
  const at = seek(set, value);
  return at < set.length && set[at]! <= value;
}

/** How many integers the set holds. */
export function sizeOf(set: IntervalSet): number {
  let size = 0;
  for (let i = 0; i < set.length; i += 2) size += set[i + 1]! - set[i]! + 1;
  return size;
}
