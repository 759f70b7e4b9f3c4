import {
  type BatchResults,
  drawKey,
  drawWith,
  type OutcomeBatch,
  OutcomeFlag,
  type PacketBatch,
} from "../../src/index.js";
import type { BenchCluster } from "../workload/cluster.js";

interface Endpoint {
  readonly address: number;
  readonly port: number;
}

/**
 * What people would write first: services in a Map keyed by `address:port/protocol` text, endpoints as objects, a key built for every
 * packet. It does what the rules say of ClusterIP services and nothing else: pick, destination, masquerade of sources outside the pod CIDR and of
 * hairpins.
 */
export class StringMapRival {
  private readonly services = new Map<string, readonly Endpoint[]>();
  private readonly podCIDR: BenchCluster["podCIDR"];
  private readonly key: number;

  constructor({ services, podCIDR }: BenchCluster, seed: number) {
    this.podCIDR = podCIDR;
    this.key = drawKey(seed, 0, 0);
    services.address.forEach((address, i) => {
      const endpoints: Endpoint[] = [];
      for (let k = services.first[i]!; k < services.first[i + 1]!; k++)
        endpoints.push({ address: services.endpointAddress[k]!, port: services.endpointPort[k]! });
      this.services.set(`${address}:${services.port[i]}/${services.protocol[i]}`, endpoints);
    });
  }

  classifyBatch(batch: PacketBatch, out: OutcomeBatch): void {
    const { value, mask } = this.podCIDR;
    for (let i = 0; i < batch.count; i++) {
      const endpoints = this.services.get(`${batch.dst[i]}:${batch.dport[i]}/${batch.protocol[i]}`);
      out.verdict[i] = 0;
      out.mark[i] = 0;
      if (endpoints === undefined) {
        out.flags[i] = 0;
        out.dst[i] = batch.dst[i]!;
        out.dport[i] = batch.dport[i]!;
        continue;
      }
      const draw = drawWith(this.key, batch.id[i]!);
      const endpoint = endpoints[Math.floor((draw / 0x100000000) * endpoints.length)]!;
      const src = batch.src[i]!;
      const outside = (src & mask) >>> 0 !== value;
      out.flags[i] =
        outside || src === endpoint.address
          ? OutcomeFlag.dnat | OutcomeFlag.masquerade | OutcomeFlag.fullyRandom
          : OutcomeFlag.dnat;
      out.dst[i] = endpoint.address;
      out.dport[i] = endpoint.port;
    }
  }
}

/** The same for connections: a Map from the packet's tuple as text to the endpoint it goes to. */
export class StringMapConnections {
  private readonly entries = new Map<string, Endpoint>();

  /** Packets without an entry are classified and entered, for both directions; the others are counted as known. */
  open(
    batch: PacketBatch,
    out: OutcomeBatch,
    results: BatchResults,
    classify: (batch: PacketBatch, out: OutcomeBatch) => void,
  ): void {
    results.reset();
    classify(batch, out);
    for (let i = 0; i < batch.count; i++) {
      const text = tupleText(batch.src[i]!, batch.sport[i]!, batch.dst[i]!, batch.dport[i]!, batch.protocol[i]!);
      results.src[i] = batch.src[i]!;
      results.sport[i] = batch.sport[i]!;
      results.dst[i] = out.dst[i]!;
      results.dport[i] = out.dport[i]!;
      if (this.entries.has(text)) {
        results.known++;
        continue;
      }
      results.opened++;
      this.entries.set(text, { address: out.dst[i]!, port: out.dport[i]! });
      const back = tupleText(out.dst[i]!, out.dport[i]!, batch.src[i]!, batch.sport[i]!, batch.protocol[i]!);
      this.entries.set(back, { address: batch.src[i]!, port: batch.sport[i]! });
    }
  }

  translateBatch(batch: PacketBatch, out: OutcomeBatch): void {
    for (let i = 0; i < batch.count; i++) {
      const endpoint = this.entries.get(
        tupleText(batch.src[i]!, batch.sport[i]!, batch.dst[i]!, batch.dport[i]!, batch.protocol[i]!),
      );
      out.dst[i] = endpoint?.address ?? batch.dst[i]!;
      out.dport[i] = endpoint?.port ?? batch.dport[i]!;
      out.verdict[i] = out.flags[i] = out.mark[i] = 0;
    }
  }
}

function tupleText(src: number, sport: number, dst: number, dport: number, protocol: number): string {
  return `${src}:${sport}>${dst}:${dport}/${protocol}`;
}
