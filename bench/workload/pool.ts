import seedrandom from "seedrandom";
import {
  type Destinations,
  type DestinationKind,
  fixedPopularity,
  FlowSource,
  PacketBatch,
  parsePrefix,
  type Popularity,
  uniformPopularity,
  zipfPopularity,
} from "../../src/index.js";
import type { ServiceColumns } from "./cluster.js";

/** Packets drawn ahead of time, in batches of one length; a measurement goes round and round through them. */
export interface PacketPool {
  readonly batches: readonly PacketBatch[];
  readonly packets: number;
}

/** Where packets go: a kind of destination, or the service at one place of KUBE-SERVICES, counted from 0. */
export type Destination = Exclude<DestinationKind, "place"> | number;

export const nameDestination = (destination: Destination): DestinationKind =>
  typeof destination === "number" ? "place" : destination;

export const ZIPF_EXPONENT = 1;
/** Pods, at addresses that no endpoint of a synthetic cluster has: none reaches itself through its own service. */
const CLIENTS = "10.128.0.0/10";
/** One client in so many is no pod, so that its packets are masqueraded. */
const OUTSIDERS = 10;
const OUTSIDE = 0xc0a80000; // 192.168.0.0/16

/**
 * Draws first packets of connections to the services: the same seed gives the same packets, and a shorter pool is the beginning of a longer one.
 * `outsiders`: whether one client in ten is no pod.
 */
export function drawPool(
  services: ServiceColumns,
  destination: Destination,
  seed: number,
  packets: number,
  batchSize: number,
  outsiders = true,
): PacketPool {
  const name = `${seed} ${destination}`;
  const random = seedrandom.alea(`${name} outsiders`);
  const flows = new FlowSource(destinationsOf(services), {
    seed: name,
    popularity: popularityOf(destination, services.address.length, seed),
    clients: parsePrefix(CLIENTS)!,
  });
  const batches = Array.from({ length: Math.floor(packets / batchSize) }, () => {
    const batch = new PacketBatch("ip", batchSize);
    flows.fillBatch(batch);
    if (outsiders) scatterSources(batch, random);
    return batch;
  });
  return { batches, packets: batches.length * batchSize };
}

function scatterSources(batch: PacketBatch, random: () => number): void {
  for (let i = 0; i < batch.count; i++) {
    if (random() * OUTSIDERS >= 1) continue;
    batch.src[i] = batch.toSrc[i] = (OUTSIDE | (batch.src[i]! & 0xffff)) >>> 0;
  }
}

function destinationsOf({ address, port, protocol }: ServiceColumns): Destinations {
  return { family: "ip", count: address.length, words: 1, dst: address, port, protocol };
}

/** Which service is popular under Zipf's law is drawn by the seed: were it the first, linear would look fast. */
function popularityOf(destination: Destination, services: number, seed: number): Popularity {
  if (typeof destination === "number") return fixedPopularity(services, destination);
  switch (destination) {
    case "first":
      return fixedPopularity(services, 0);
    case "middle":
      return fixedPopularity(services, services >> 1);
    case "last":
      return fixedPopularity(services, services - 1);
    case "uniform":
      return uniformPopularity(services);
    case "zipf":
      return zipfPopularity(services, ZIPF_EXPONENT, seedrandom.alea(`${seed} ranks`));
  }
}
