/** Which destinations depend on which chains: what has to be worked out again when a chain changes. */
import type { DestinationKey } from "./specialise/destinations.js";
import type { Specialised } from "./specialise/specialise.js";

/** A destination that rules name. */
export interface Dependent extends DestinationKey {
  /** Rows that name it. */
  named: number;
  /** The chains its way leads through, each once. */
  trail: readonly number[];
  /** Undefined where it is left to the walk. */
  service: Specialised | undefined;
}

/** A chain on which more destinations depend is kept as one on which all do. */
const MOST_DEPENDENTS = 64;

export class Dependencies {
  private readonly all = new Map<number, Map<number, Dependent>>();
  /** By chain id; "all": too many to be listed. */
  private readonly byChain = new Map<number, Set<Dependent> | "all">();
  size = 0;

  get({ address, protocol, port }: DestinationKey): Dependent | undefined {
    return this.all.get(address)?.get((protocol << 16) | port);
  }

  /** The destination, as a new one where it is not there. */
  add({ address, protocol, port }: DestinationKey): Dependent {
    let ports = this.all.get(address);
    if (ports === undefined) this.all.set(address, (ports = new Map()));
    const key = (protocol << 16) | port;
    let held = ports.get(key);
    if (held === undefined) {
      held = { address, protocol, port, named: 0, trail: [], service: undefined };
      ports.set(key, held);
      this.size++;
    }
    return held;
  }

  remove(dependent: Dependent): void {
    this.follow(dependent, []);
    const ports = this.all.get(dependent.address);
    if (ports?.delete((dependent.protocol << 16) | dependent.port)) this.size--;
    if (ports?.size === 0) this.all.delete(dependent.address);
  }

  /** Sets the chains that a destination depends on; they may be named more than once. */
  follow(dependent: Dependent, chains: readonly number[]): void {
    const trail = [...new Set(chains)];
    const before = dependent.trail;
    dependent.trail = trail;
    for (const chain of before) {
      const known = this.byChain.get(chain);
      if (known instanceof Set && !trail.includes(chain)) known.delete(dependent);
    }
    for (const chain of trail) {
      const known = this.byChain.get(chain);
      if (known === undefined) this.byChain.set(chain, new Set([dependent]));
      else if (known !== "all" && known.add(dependent).size > MOST_DEPENDENTS) this.byChain.set(chain, "all");
    }
  }

  /** The destinations that depend on a chain: "all" where there are many. */
  of(chain: number): ReadonlySet<Dependent> | "all" {
    return this.byChain.get(chain) ?? NONE;
  }

  /** The destinations of an address. */
  at(address: number): readonly Dependent[] {
    return [...(this.all.get(address)?.values() ?? [])];
  }

  *[Symbol.iterator](): Generator<Dependent> {
    for (const ports of this.all.values()) yield* ports.values();
  }
}

const NONE: ReadonlySet<Dependent> = new Set();
