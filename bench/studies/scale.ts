import { type EngineName, NFT_LINEAR, type SubjectName } from "../arguments.js";
import type { MeasuringPlan } from "../plan.js";
import { SECONDARY_ROUNDS, type Study } from "./study.js";

const MILLISECONDS = 60;
/** Above this many services a linear walk of uniform destinations takes so long that few packets fit: one more process would not help. */
const LARGE = 10_000;

const TO_ALL = ["uniform"] as const;
/** A walk that looks up grows with the memory it touches, not with its rules: packets to one service tell the two apart. */
const TO_ONE_AND_ALL = ["last", "uniform"] as const;

/** With the walk of iptables rules goes that of the rules of nftables mode, which looks up instead of passing rule after rule. */
function beside(engines: readonly EngineName[]): SubjectName[] {
  return engines.flatMap((engine): SubjectName[] => (engine === "linear" ? [engine, NFT_LINEAR] : [engine]));
}

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
      const alone = { ruleSets: 1, flows: 0, packets: [] } as const;
      const often = services > LARGE ? { most: 1 } : {};
      return [
        ...beside(engines).map((engine): MeasuringPlan => {
          const destinations = engine === NFT_LINEAR ? TO_ONE_AND_ALL : TO_ALL;
          return { kind: "engine", engine, destinations, ...alone, ...size, ...often };
        }),
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
