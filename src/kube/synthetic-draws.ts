/** What of a synthetic cluster is drawn by weights and distributions. */
import type { ServiceProtocol, ServiceType } from "./objects.js";
import { requireCount, tooBad } from "./synthetic-ranges.js";

/**
 * How many endpoints services have: so many each; uniform between two numbers, both allowed; or heavy-tailed: a Pareto distribution of
 * shape 1.5 about a mean, cut at `most` (by default 200 means), of which most services have few endpoints and a few have very many.
 */
export type EndpointCounts =
  | number
  | { readonly kind: "uniform"; readonly least: number; readonly most: number }
  | { readonly kind: "heavy-tail"; readonly mean: number; readonly most?: number };

const SHAPE = 1.5;
const MOST_MEANS = 200;

/** A sampler of counts. Throws ProblemError where they are out of bounds. */
export function countPicker(counts: EndpointCounts, random: () => number): () => number {
  if (typeof counts === "number") {
    requireCount("endpoints", counts);
    return () => counts;
  }
  if (counts.kind === "uniform") {
    const { least, most } = counts;
    requireCount("endpoints", least);
    requireCount("endpoints", most);
    if (most < least) throw tooBad("bad-count", `endpoints: ${most} is less than ${least}`);
    return () => least + Math.floor(random() * (most - least + 1));
  }
  const { mean, most = Math.ceil(mean * MOST_MEANS) } = counts;
  if (!(mean > 0) || !Number.isFinite(mean)) throw tooBad("bad-count", "the mean of endpoints must be above 0");
  requireCount("endpoints", most);
  // A Pareto variable of shape a and scale s has the mean s * a / (a - 1).
  const scale = (mean * (SHAPE - 1)) / SHAPE;
  return () => Math.min(most, Math.round(scale * (1 - random()) ** (-1 / SHAPE)));
}

export type ProtocolWeights = Readonly<Partial<Record<"tcp" | "udp" | "sctp", number>>>;

/** A sampler of protocols by weight. Throws ProblemError where no weight is positive. */
export function protocolPicker(weights: ProtocolWeights | undefined, random: () => number): () => ServiceProtocol {
  const { tcp = 0, udp = 0, sctp = 0 } = weights ?? { tcp: 90, udp: 9, sctp: 1 };
  const sum = tcp + udp + sctp;
  if (!(sum > 0) || tcp < 0 || udp < 0 || sctp < 0)
    throw tooBad("bad-protocol-mix", "the protocol mix needs weights of at least 0 whose sum is positive");
  return () => {
    const draw = random() * sum;
    return draw < tcp ? "TCP" : draw < tcp + udp ? "UDP" : "SCTP";
  };
}

/** Types of Services, and the two kinds that get no rules. */
export type SyntheticType = Exclude<ServiceType, "ExternalName"> | "Headless" | "ExternalName";
export const syntheticTypes: readonly SyntheticType[] = [
  "ClusterIP",
  "NodePort",
  "LoadBalancer",
  "Headless",
  "ExternalName",
];

export type TypeWeights = Readonly<Partial<Record<SyntheticType, number>>>;

/** A sampler of types by weight; without weights all are ClusterIP. Throws ProblemError where no weight is positive. */
export function typePicker(weights: TypeWeights | undefined, random: () => number): () => SyntheticType {
  if (weights === undefined) return () => "ClusterIP";
  const list = syntheticTypes.map((type) => weights[type] ?? 0);
  const sum = list.reduce((a, b) => a + b, 0);
  if (!(sum > 0) || list.some((weight) => weight < 0))
    throw tooBad("bad-type-mix", "the type mix needs weights of at least 0 whose sum is positive");
  return () => {
    let left = random() * sum;
    return syntheticTypes.find((_, i) => (left -= list[i]!) < 0) ?? "ClusterIP";
  };
}
