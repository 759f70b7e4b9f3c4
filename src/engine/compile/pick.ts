/**
 * Pick: the tail of rules that draw one after the other becomes one choice by weight: one u32 against integer bounds. Services whose
 * rules draw alike (in a cluster most do) share their bounds.
 */
import type { Specialised } from "./specialise/specialise.js";
import { EVEN, LAST_PICK_OFFSET } from "./services.js";

/** A destination with its choice. */
export interface Picked {
  readonly service: Specialised;
  /** Where its choice stands in `Choices`; 0 where there is nothing to choose from. */
  readonly choice: number;
}

export interface PickedServices {
  readonly picked: readonly Picked[];
  readonly choices: Choices;
}

/** The choices of all services, one after the other. */
export class Choices {
  /** For each backend of a choice: the last u32 that still falls to it. */
  readonly bounds: number[] = [];
  /** Thresholds of the rules that draw, parallel to `bounds` (2^31 for the last backend, which draws nothing); EVEN for even choices. */
  readonly thresholds: number[] = [];
  /** At the offset of each choice: its doubt. */
  readonly doubts: number[] = [];
  private readonly offsets = new Map<string, number>();

  /** Where the choice of these thresholds stands; it is made where there is none alike. Undefined where there is no room. */
  take(thresholds: readonly number[]): number | undefined {
    if (thresholds.length === 0) return 0;
    const key = thresholds.join();
    const known = this.offsets.get(key);
    if (known !== undefined) return known;
    const offset = this.bounds.length;
    if (offset > LAST_PICK_OFFSET) return undefined;
    this.offsets.set(key, offset);
    const bounds = thresholds[0] === EVEN ? evenBounds(thresholds.length) : pickBounds(thresholds);
    this.bounds.push(...bounds);
    this.thresholds.push(...thresholds);
    this.doubts.push(...bounds.map((_, k) => (k === 0 ? doubtOf(bounds) : 0)));
    return offset;
  }
}

/** Gives every service its choice. Services for whose choice there is no room are left to the walk. */
export function pick(services: readonly Specialised[]): PickedServices {
  const choices = new Choices();
  const picked = services.flatMap((service): Picked[] => {
    const choice = choices.take(service.thresholds);
    return choice === undefined ? [] : [{ service, choice }];
  });
  return { picked, choices };
}

/**
 * The bounds of a weighted pick. Backend k is taken with probability t_k / 2^31 of what the earlier ones left. The weights are
 * integers that sum to 2^32; bounds are cumulative sums rounded to nearest, so each weight is within 1 of p * 2^32.
 */
export function pickBounds(thresholds: readonly number[]): number[] {
  const bits = 31n;
  let left = 1n; // probability not yet given out, times 2^(31 * k)
  let exponent = 0n;
  return thresholds.map((threshold) => {
    left *= (1n << bits) - BigInt(threshold);
    exponent += bits;
    // Beyond 128 bits the fraction is cut: the error stays far below half a unit of 2^-32.
    if (exponent > 512n) {
      left >>= exponent - 128n;
      exponent = 128n;
    }
    const remaining = ((left << 33n) + (1n << exponent)) >> (exponent + 1n);
    return Number((1n << 32n) - remaining) - 1;
  });
}

/** The bounds of an even choice: those of the reciprocal scale, by which numgen makes it. */
export function evenBounds(count: number): number[] {
  const n = BigInt(count);
  return Array.from({ length: count }, (_, k) => Number(((BigInt(k + 1) << 32n) + n - 1n) / n) - 1);
}

/**
 * The doubt of a choice (see ServiceTables), 1 to 2^31: a draw whose backend is not the guessed one lies between a bound and where
 * that bound would be if all backends were equally likely; times their number, it is no farther from a multiple of 2^32 than the bound itself.
 */
export function doubtOf(bounds: readonly number[]): number {
  const count = bounds.length;
  let doubt = 1;
  for (let k = 0; k + 1 < count; k++) {
    const even = (k + 1) * 2 ** 32;
    doubt = Math.max(doubt, bounds[k]! * count - even + 1, even - (bounds[k]! + 1) * count);
  }
  return Math.min(doubt, 2 ** 31);
}
