/** What the kernel study is judged by. */

/** Sizes of rule sets that nanoseconds per rule are taken from; the others are foretold. */
export const CALIBRATION: readonly number[] = [10, 300, 3000];
/** Least share of the spread of the calibrating times that a straight line must explain. */
export const LEAST_R_SQUARED = 0.98;
/** Most that a foretold time may be off. */
export const MOST_ERROR = 0.25;
/** Most that what needs no walk may grow from the smallest rule set to the largest, for packets to the last service. */
export const MOST_GROWTH = 1.25;
/** The way through an empty namespace may differ by this factor from round to round, or the machine was too busy to conclude. */
export const BASELINE_SPREAD = 1.5;
/** Share of the rounds that may differ by more: the median over rounds does not follow them. */
export const BURSTS = 0.1;
