import type { MeasuringPlan } from "../plan.js";
import type { Study } from "./study.js";

const MILLISECONDS = 60;
/** More than one rule set in use shows what code costs that is not each one's own. */
const RULE_SETS = [1, 3];
/** Above this many services a process builds one rule set only: three would take a minute. */
const LARGE = 10_000;

/** The lookup of a service alone: perfect hash, open addressing and Map on the same keys, with code of their own and with code they share. */
export const maps: Study = {
  name: "maps",
  summary: "the lookup alone: perfect hash, open addressing, Map; code of its own or shared",
  defaults: { services: [1000, 10_000, 100_000], quickServices: 1000, duration: 120 },
  plan({ services, endpoints, seed }) {
    const plans = services.flatMap((size) =>
      RULE_SETS.filter((ruleSets) => ruleSets === 1 || size <= LARGE).map((ruleSets): MeasuringPlan => ({
        kind: "maps",
        ruleSets,
        services: size,
        endpoints,
        seed,
        milliseconds: MILLISECONDS,
      })),
    );
    return { plans, notes: ["The maps are those of this study: --engine chooses nothing here."] };
  },
};
