/**
 * The way of a packet through the hooks of one node, written once, as data. Every engine whose NAT stands where
 * netfilter's stands goes by it (net/ipv4/ip_input.c, ip_forward.c, ip_output.c; linux/netfilter_ipv4.h for priorities).
 */
import type { Family } from "../packet/address.js";
import type { Entrance } from "../packet/packet.js";
import { baseChains, type ResolvedChain, type ResolvedRuleSet } from "../ruleset/resolve.js";
import type { Hook } from "../ruleset/types.js";

/** A hook to pass, or the decision where the packet goes. `loopback`: it comes back in through lo, with its connection. */
export type Stage =
  { readonly kind: "hook"; readonly hook: Hook; readonly loopback?: true } | { readonly kind: "route" };

const hook = (name: Hook): Stage => ({ kind: "hook", hook: name });
const route: Stage = { kind: "route" };

/** The stages up to the routing decision that settles the rest, and what follows it. */
export interface Way {
  readonly first: readonly Stage[];
  readonly local: readonly Stage[];
  readonly forward: readonly Stage[];
}

/**
 * A packet of the node itself is routed before output (so that `-o` can be tested there) and again after NAT; for a local
 * destination it leaves by lo and comes in again. The nat chains are not asked a second time: the connection is set up by then.
 */
export const ways: Readonly<Record<Entrance, Way>> = {
  prerouting: {
    first: [hook("prerouting"), route],
    local: [hook("input")],
    forward: [hook("forward"), hook("postrouting")],
  },
  output: {
    first: [route, hook("output"), route],
    local: [
      hook("postrouting"),
      { kind: "hook", hook: "prerouting", loopback: true },
      { kind: "hook", hook: "input", loopback: true },
    ],
    forward: [hook("postrouting")],
  },
};

/** NF_IP_PRI_CONNTRACK: chains before it (raw) see no connection. */
export const CONNTRACK_PRIORITY = -200;

/** Which end of the tuple NAT may change at a hook (HOOK2MANIP), and at which priority it stands. */
export const natAt: Readonly<
  Record<Hook, { readonly priority: number; readonly manip: "destination" | "source" } | undefined>
> = {
  prerouting: { priority: -100, manip: "destination" },
  output: { priority: -100, manip: "destination" },
  input: { priority: 100, manip: "source" },
  postrouting: { priority: 100, manip: "source" },
  forward: undefined,
};

/** A place within a hook. The nat chains of a hook run all together where NAT stands. */
export type Station =
  | { readonly kind: "conntrack" }
  | { readonly kind: "nat"; readonly manip: "destination" | "source"; readonly chains: readonly ResolvedChain[] }
  | { readonly kind: "chain"; readonly chain: ResolvedChain };

export type Schedule = Readonly<Record<Hook, readonly Station[]>>;

/** The stations of every hook, in the order a packet of the family passes them. */
export function schedule(resolved: ResolvedRuleSet, family: Family): Schedule {
  const stations = (hook: Hook): Station[] => {
    const chains = baseChains(resolved, family, hook);
    const placed: { priority: number; station: Station }[] = [];
    if (hook === "prerouting" || hook === "output") {
      placed.push({ priority: CONNTRACK_PRIORITY, station: { kind: "conntrack" } });
    }
    const nat = natAt[hook];
    if (nat !== undefined) {
      const natChains = chains.filter((chain) => chain.base!.type === "nat");
      placed.push({ priority: nat.priority, station: { kind: "nat", manip: nat.manip, chains: natChains } });
    }
    for (const chain of chains) {
      if (chain.base!.type !== "nat")
        placed.push({ priority: chain.base!.priority, station: { kind: "chain", chain } });
    }
    return placed.sort((a, b) => a.priority - b.priority).map((place) => place.station);
  };
  return {
    prerouting: stations("prerouting"),
    input: stations("input"),
    forward: stations("forward"),
    output: stations("output"),
    postrouting: stations("postrouting"),
  };
}
