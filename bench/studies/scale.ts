import type { MeasuringPlan } from "../plan.js";
import { SECONDARY_ROUNDS, type Study } from "./study.js";

const MILLISECONDS = 60;
/** Above this many services a linear walk of uniform destinations takes so long that few packets fit: one more process would not help. */
const LARGE = 10_000;

/** From ten services to a hundred thousand: lookup time, memory, time to build and to update. */
export const scale: Study = {
  name: "scale",
  summary: "10 to 100,000 services: lookup, memory, build, update",
  defaults: { services: [10, 100, 1000, 10_000, 100_000], quickServices: 1000, duration: 420 },
  plan(options) {
    const { endpoints, seed, engines } = options;
    const plans = options.services.flatMap((services): MeasuringPlan[] => {
      const size = { services, endpoints, seed, milliseconds: MILLISECONDS };
      const seldom = services > LARGE ? { most: 1 } : { most: SECONDARY_ROUNDS };
      const alone = { ruleSets: 1, flows: 0, packets: [], destinations: ["uniform"] } as const;
      const often = services > LARGE ? { most: 1 } : {};
      return [
        ...engines.map((engine): MeasuringPlan => ({ kind: "engine", engine, ...alone, ...size, ...often })),
        { kind: "stages", stages: ["build", "update"], ...size, ...often },
        ...engines.map((engine): MeasuringPlan => ({ kind: "memory", engine, ...size, ...seldom })),
      ];
    });
    const notes = options.services.some((services) => services > LARGE)
      ? [`Above ${LARGE.toLocaleString("en-US")} services one process a variant: no spread between processes there.`]
      : [];
    return { plans, notes };
  },
};
