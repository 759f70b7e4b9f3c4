/**
 * What the lookup study is judged by. Times are compared with C programs of the same algorithms in the same run, because only
 * ratios hold from machine to machine; the usual figures below only serve to notice a machine too busy to conclude from.
 */

/** Most that the time may be of the C program's, and what we aim at. */
export const INDEXED_OVER_C = { most: 1.5, aim: 1.3 } as const;
export const LINEAR_OVER_C = { most: 5 } as const;
/** Nanoseconds per rule visited of the column scan that we aim at. */
export const LINEAR_NS_PER_RULE_AIM = 2.5;
export const ESTABLISHED_OVER_C = { most: 2 } as const;
/** Most that a call with a packet object may cost, against a packet of a batch. */
export const OBJECT_OVER_BATCH = { most: 10 } as const;
/** Sizes between which growth is judged, and the most that a lookup may grow. */
export const GROWTH = { from: 100, to: 10_000, most: 2.5 } as const;
/** Exponent of linear's growth with the number of rules before the one that matches. */
export const LINEAR_SLOPE = { least: 0.9, most: 1.15 } as const;
/** Where the targets against C are read. */
export const HEADLINE_SERVICES = 10_000;

/**
 * The C lookup and pick at 10,000 services, uniform destinations: nanoseconds per packet on a 2-core AMD EPYC (Zen 4) at 2.6 GHz. It is the
 * lower decile of samples taken while others used that machine too, so a quiet one may be faster. Further off than the tolerance (a
 * factor, either way) a run is too noisy, or on a machine this figure does not fit.
 */
export const USUAL_C_LOOKUP = { ns: 17, tolerance: 1.8 } as const;
/** Medians of the C lookup in one run may differ by this factor from process to process. */
export const C_LOOKUP_SPREAD = 1.5;

/** The two harnesses agree where the intervals of their linear / indexed ratios overlap, or the ratios differ by less than this. */
export const HARNESS_TOLERANCE = 0.2;
