import type { MeasuringPlan } from "../plan.js";
import type { Study } from "./study.js";

const MILLISECONDS = 40;
/** Endpoints of a service: besides those asked for. */
const ENDPOINTS = [2, 10, 50];

/** How often each endpoint of a service is picked, against the probabilities of the rules; and what a pick costs by the number of endpoints. */
export const distribution: Study = {
  name: "distribution",
  summary: "picks of endpoints against the probabilities of the rules",
  defaults: { services: [100], quickServices: 100, duration: 60 },
  plan({ services, endpoints, seed, engines }) {
    const counts = [...new Set([...ENDPOINTS, endpoints])].filter((count) => count > 1).sort((a, b) => a - b);
    const rest = {
      ruleSets: 1,
      flows: 0,
      packets: [],
      destinations: ["uniform"],
      seed,
      milliseconds: MILLISECONDS,
    } as const;
    const plans = services.flatMap((size) =>
      counts.flatMap((count) =>
        engines.map((engine): MeasuringPlan => ({ kind: "engine", engine, services: size, endpoints: count, ...rest })),
      ),
    );
    return { plans, notes: [] };
  },
};
