/** The service tables against the walk: every row, for all packets to its destination, and the laws of the lookup and of the pick. */
import { icmpReplyType } from "../../packet/tuple.js";
import { isIcmp } from "../../packet/protocol.js";
import type { Node } from "../../packet/node.js";
import { EVEN, type ServiceTables } from "../compile/services.js";
import { ALL, type DiagramNode, NOTHING } from "./diagrams.js";
import { drawName } from "./follow.js";
import { numgenSpread } from "../spread.js";
import { shareName } from "./read-values.js";
import { type Fate, type Journey, makeFate, type Start } from "./journey.js";
import type { ReadBackend, ReadService } from "./read-services.js";
import type { Results } from "./results.js";
import { type Mark } from "./rows.js";
import type { Space } from "./space.js";

const marked = (mark: number): Mark => ({ ofMark: 0, ofCtmark: 0, flip: mark >>> 0 });

/** The packets the engine looks up in the service map: the first of a connection, coming in without a mark, to its key. */
export function startOf({ address, port, protocol }: Pick<ReadService, "address" | "port" | "protocol">): Start {
  const answered = !isIcmp(protocol) || icmpReplyType(protocol, port >>> 8) !== undefined;
  return {
    entrance: "prerouting",
    connection: "fresh",
    fields: {
      dst: address,
      protocol,
      dport: port,
      mark: 0,
      ctmark: 0,
      fragment: 0,
      reply: 0,
      status: 0,
      physIn: 0,
      physOut: 0,
      hasOriginal: 1,
      hasReply: answered ? 1 : 0,
    },
  };
}

export class ServiceChecker {
  constructor(
    private readonly space: Space,
    private readonly node: Node,
    private readonly tables: ServiceTables,
    private readonly journey: Journey,
    private readonly fates: Results<Fate>,
  ) {}

  /** The walk of all packets to a service, and what its row says of them. */
  both(service: ReadService): { readonly walked: DiagramNode; readonly said: DiagramNode } {
    const { diagrams } = this.space;
    const walked = this.journey.travel(startOf(service));
    // Codes of names that stand for nothing have no walk.
    const real = diagrams.whereTerminal(walked, (terminal) => terminal !== NOTHING);
    return { walked, said: diagrams.choose(real, this.said(service), NOTHING) };
  }

  /** From the packets to a service to the fate its row has for them. */
  private said(service: ReadService): DiagramNode {
    const { space } = this;
    const { backends, record, test } = service;
    if (backends.length === 0) return this.fixed(service);
    const { diagrams } = space;
    const tested = space.masked("src", test.value >>> 0, test.mask >>> 0);
    const byTest = test.negate ? diagrams.not(tested) : tested;
    let result: DiagramNode = NOTHING;
    for (let k = backends.length - 1; k >= 0; k--) {
      const backend = backends[k]!;
      const own = backend.hairpin ? space.equals("src", backend.address) : NOTHING;
      const fate = diagrams.choose(diagrams.or(byTest, own), this.fateOf(backend, true), this.fateOf(backend, false));
      const pick = record.picks[k];
      if (service.thresholds[0] === EVEN && backends.length > 1) {
        const even = numgenSpread(backends.length, 0);
        const name = shareName(record.picks[0]!.id, 0, 0, even.drawFor(k), even.drawFor(backends.length - 1));
        result = k === backends.length - 1 ? fate : diagrams.choose(space.bit(name), fate, result);
      } else if (pick === undefined) result = fate;
      else {
        const threshold = service.thresholds[k]!;
        const drawn =
          threshold <= 0 ? NOTHING : threshold >= 2 ** 31 ? ALL : space.bit(drawName(pick.id, 0, 0, threshold));
        result = diagrams.choose(drawn, fate, result);
      }
    }
    return result;
  }

  private fixed({ address, record }: ReadService): DiagramNode {
    const route = record.routed ? this.node.route(address) : undefined;
    return this.fates.terminal(
      makeFate({
        verdict: record.verdict,
        with: record.rejectWith,
        mark: marked(this.tables.markUnmarked),
        ctmark: marked(0),
        way: route && (route.local ? "local" : "forward"),
        oif: route && (route.local ? "" : route.oif),
        notrack: false,
        unseen: record.unseen === true,
        changes: [],
      }),
    );
  }

  private fateOf(backend: ReadBackend, isMarked: boolean): DiagramNode {
    const { address, port, local, fullyRandom } = backend;
    const { source, oif } = this.node.route(address);
    const masquerade = isMarked ? backend.masqueradeMarked : backend.masqueradeUnmarked;
    const to = {
      ...(fullyRandom ? { fullyRandom: true } : {}),
      ...(source === undefined ? {} : { addresses: [source, source] as const }),
    };
    return this.fates.terminal(
      makeFate({
        verdict: "accept",
        destination: { address, port },
        source: masquerade ? { kind: "masquerade", to, hook: "postrouting" } : undefined,
        mark: marked(isMarked ? this.tables.markMarked : this.tables.markUnmarked),
        ctmark: marked(0),
        way: local ? "local" : "forward",
        oif: local ? "" : oif,
        notrack: false,
        unseen: false,
        changes: [],
      }),
    );
  }
}

/**
 * The law of a pick: every backend's weight (the u32 that fall to it) is within 1 of its probability times 2^32; of an even choice, which
 * one rule makes by one number, every draw falls where that number says. Gives a u32 for which another backend is picked than the
 * probabilities say, or undefined where the law holds.
 */
export function strayDraw({ runs, thresholds }: Pick<ReadService, "runs" | "thresholds">): number | undefined {
  if (runs.length === 0) return undefined;
  const count = thresholds.length;
  if (thresholds[0] === EVEN) {
    const even = thresholds.map((_, k) => Number((BigInt(k + 1) * 2n ** 32n - 1n) / BigInt(count)));
    const holds = runs.length === count && runs.every(({ last, backend }, k) => backend === k && last === even[k]);
    return holds ? undefined : longestDifference(runs, even);
  }
  const weights = weightsOf(runs, count);
  let holds = true;
  let left = 1n; // times 2^(31 k)
  let given = 0n; // times 2^(31 k)
  const edges = thresholds.map((threshold, k) => {
    const drawn = k === count - 1 ? 2n ** 31n : BigInt(threshold);
    const scale = BigInt(31 * (k + 1));
    const share = left * drawn; // p times 2^scale
    given = (given << 31n) + share;
    left *= 2n ** 31n - drawn;
    const error = (BigInt(weights[k]!) << scale) - (share << 32n);
    if (error > 1n << scale || error < -(1n << scale)) holds = false;
    return Number((given << 32n) >> scale) - 1; // the last draw of the exact cumulative share
  });
  return holds && weights.length === count ? undefined : longestDifference(runs, edges);
}

/** How many draws fall to each backend; one more where the tables name none for some. */
export function weightsOf(runs: ReadService["runs"], count: number): number[] {
  const weights = Array.from({ length: count }, () => 0);
  let first = 0;
  for (const { last, backend } of runs) {
    weights[backend] = (weights[backend] ?? 0) + last + 1 - first;
    first = last + 1;
  }
  return weights;
}

/** The draw in the middle of the longest run that does not fall to the first backend whose edge is not below it. */
function longestDifference(runs: ReadService["runs"], edges: readonly number[]): number {
  const lasts = [...new Set([...runs.map(({ last }) => last), ...edges])]
    .filter((last) => last >= 0)
    .sort((a, b) => a - b);
  let longest = { first: 0, last: -1 };
  let first = 0;
  let [run, edge] = [0, 0];
  for (const last of lasts) {
    while (runs[run]!.last < first) run++;
    while (edge + 1 < edges.length && edges[edge]! < first) edge++;
    if (runs[run]!.backend !== edge && last - first > longest.last - longest.first) longest = { first, last };
    first = last + 1;
  }
  return Math.floor((longest.first + longest.last) / 2);
}
