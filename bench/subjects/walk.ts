import { OutcomeBatch } from "../../src/index.js";
import { NFT_LINEAR, type SubjectName } from "../arguments.js";
import { CHECKSUM_START, foldOutcomes, sumOutcomes } from "../workload/checksum.js";
import type { ServiceColumns } from "../workload/cluster.js";
import { type Destination, drawPool, nameDestination } from "../workload/pool.js";
import type { Prepared } from "./cases.js";
import { meanWork, type Subject } from "./subject.js";

/**
 * Packets of a pool and of a batch. Where one walk takes microseconds the pool is small, or a single pass of it would last longer than
 * all the measuring; where it takes nanoseconds the pool is larger than the caches next to the core.
 */
export function poolSize(engine: SubjectName): { packets: number; batchSize: number } {
  return engine === "linear" || engine === NFT_LINEAR
    ? { packets: 4096, batchSize: 1024 }
    : { packets: 65_536, batchSize: 8192 };
}

/** Packets walked one by one, to find the cheapest way and to time them alone: so many that the cheapest is surely among them. */
const SINGLES = 256;

/** First packets with what became of them. */
export interface PreparedWalk extends Prepared {
  /** How often the first, second, ... endpoint of a service was picked. */
  readonly picks: readonly number[];
}

/**
 * First packets to a destination: a task that takes the next batch, of the next rule set in turn, at every call. What is exact is
 * told of the first rule set. Throws where one of its packets does not reach an endpoint.
 */
export function prepareWalk(subjects: readonly Subject[], destination: Destination): PreparedWalk {
  const { name, seed, endpoints, cluster, classify } = subjects[0]!;
  const { packets, batchSize } = poolSize(name);
  const draw = (subject: Subject, count: number, size: number) =>
    drawPool(subject.cluster.services, destination, subject.seed, count, size);
  const out = new OutcomeBatch("ip", batchSize);

  const pools = subjects.map((subject) => draw(subject, packets, batchSize));
  const endpointPlace = placesOf(cluster.services);
  const picks = cluster.pickProbabilities.map(() => 0);
  let checksum = CHECKSUM_START;
  const work = pools[0]!.batches.map((batch) => {
    classify(batch, out);
    checksum = foldOutcomes(checksum, out, batch.count);
    for (let i = 0; i < batch.count; i++) {
      const k = endpointPlace.get(out.dst[i]!);
      if (k === undefined) throw new Error(`packet ${batch.id[i]} of seed ${seed} did not reach an endpoint`);
      picks[k]!++;
    }
    return { ...out.work };
  });
  const singles = draw(subjects[0]!, SINGLES, 1).batches;
  const visited = singles.map((single) => {
    classify(single, out);
    return out.work.rulesVisited;
  });

  const turns = pools[0]!.batches.flatMap((_, b) =>
    subjects.map((subject, s) => ({ classify: subject.classify, batch: pools[s]!.batches[b]! })),
  );
  let next = 0;
  const run = (): number => {
    const turn = turns[next]!;
    next = next + 1 === turns.length ? 0 : next + 1;
    turn.classify(turn.batch, out);
    return sumOutcomes(out, turn.batch.count);
  };
  let alone = 0;
  const single = (): number => {
    const batch = singles[alone]!;
    alone = alone + 1 === singles.length ? 0 : alone + 1;
    classify(batch, out);
    return sumOutcomes(out, 1);
  };
  const counted = name === "string-map" ? {} : { ...meanWork(work, packets), leastRulesVisited: Math.min(...visited) };
  const services = cluster.services.address.length;
  const place = typeof destination === "number" ? { place: destination } : {};
  return {
    factors: {
      engine: name,
      packet: "first",
      destination: nameDestination(destination),
      ...place,
      services,
      endpoints,
      ruleSets: subjects.length,
    },
    per: "packet",
    task: { name: `${name} ${destination}`, operations: batchSize, run, single },
    exact: { ...counted, checksum },
    picks,
  };
}

/** Endpoint address -> its place in its service; in a synthetic cluster an address stands once. */
function placesOf({ first, endpointAddress }: ServiceColumns): Map<number, number> {
  const places = new Map<number, number>();
  for (let service = 0; service + 1 < first.length; service++)
    for (let k = first[service]!; k < first[service + 1]!; k++) places.set(endpointAddress[k]!, k - first[service]!);
  return places;
}
