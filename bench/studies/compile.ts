import type { MeasuringPlan } from "../plan.js";
import type { Study } from "./study.js";

const MILLISECONDS = 200;

/** What it takes until a rule set can be used, and until a change of it can: write, read, resolve, build, update; what kube-proxy sends. */
export const compile: Study = {
  name: "compile",
  summary: "write, read, resolve, build, update; sizes of full and partial syncs",
  defaults: { services: [100, 1000, 10_000], quickServices: 1000, duration: 150 },
  plan({ services, endpoints, seed }) {
    const plans = services.map((size): MeasuringPlan => {
      const stages = ["write", "read", "resolve", "build", "update", "sync"] as const;
      return { kind: "stages", stages, services: size, endpoints, seed, milliseconds: MILLISECONDS };
    });
    return { plans, notes: [] };
  },
};
