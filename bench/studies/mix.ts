import type { MeasuringPlan } from "../plan.js";
import type { Study } from "./study.js";

const MILLISECONDS = 60;
const MEANS = [1, 2, 5, 10, 30, 100, 300, 1000];
const QUICK_MEANS = [1, 10, 100, 1000];

/** Zipf traffic of whole connections: at how many packets per connection the mode of the first packet stops to matter. */
export const mix: Study = {
  name: "mix",
  summary: "whole connections: at what length the mode stops to matter",
  defaults: { services: [1000, 10_000], quickServices: 1000, duration: 165 },
  plan({ services, endpoints, seed, engines, quick }) {
    const plans = services.flatMap((size) =>
      (["fast-path", "chains"] as const).flatMap((mode) =>
        (quick ? (["geometric"] as const) : (["geometric", "heavy-tailed"] as const)).flatMap((lengths) =>
          engines
            .filter((engine) => engine !== "string-map")
            .map((engine): MeasuringPlan => {
              const means = quick ? QUICK_MEANS : MEANS;
              const rest = { services: size, endpoints, seed, milliseconds: MILLISECONDS };
              return { kind: "mix", engine, mode, lengths, means, ...rest };
            }),
        ),
      ),
    );
    const notes = quick ? ["Left out of a quick run: heavy-tailed lengths, half of the means."] : [];
    if (engines.includes("string-map")) notes.push("The Map keyed by string has no data path: it is left out.");
    return { plans, notes };
  },
};
