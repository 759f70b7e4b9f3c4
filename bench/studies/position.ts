import type { MeasuringPlan } from "../plan.js";
import type { Study } from "./study.js";

const MILLISECONDS = 60;
/** Places asked for, from the first service to the last, at equal steps. */
const STEPS = 10;

/** The first packet by the place of its service in KUBE-SERVICES: what a linear walk pays for each rule before the one that matches. */
export const position: Study = {
  name: "position",
  summary: "first packet by the place of its service in the rule set",
  defaults: { services: [10_000], quickServices: 1000, duration: 90 },
  plan({ services, endpoints, seed, engines }) {
    const plans = services.flatMap((size) => {
      const places = Array.from({ length: STEPS + 1 }, (_, i) => Math.round((i * (size - 1)) / STEPS));
      const destinations = [...new Set(places)];
      const rest = { ruleSets: 1, flows: 0, packets: [], endpoints, seed, milliseconds: MILLISECONDS };
      return engines.map((engine): MeasuringPlan => ({
        kind: "engine",
        engine,
        destinations,
        services: size,
        ...rest,
      }));
    });
    return { plans, notes: [] };
  },
};
