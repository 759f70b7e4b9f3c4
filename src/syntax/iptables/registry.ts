/** The table of everything iptables can spell: one line a match, one line a target. */
import type { Action, Match, Verdict } from "../../ruleset/types.js";
import { accounting } from "./matches/accounting.js";
import { addressRange } from "./matches/address-range.js";
import { addressType } from "./matches/address-type.js";
import { comment } from "./matches/comment.js";
import { conntrack } from "./matches/conntrack.js";
import { icmp } from "./matches/icmp.js";
import { limit } from "./matches/limit.js";
import { mac } from "./matches/mac.js";
import { mark } from "./matches/mark.js";
import { multiport } from "./matches/multiport.js";
import { nth } from "./matches/nth.js";
import { physdev } from "./matches/physdev.js";
import { random } from "./matches/random.js";
import { recent } from "./matches/recent.js";
import { set } from "./matches/set.js";
import { transport } from "./matches/transport.js";
import type { MatchSyntax, OptionSpec, StatementOf, TargetSyntax } from "./module.js";
import { accept } from "./targets/accept.js";
import { copyMark } from "./targets/copy-mark.js";
import { dnat } from "./targets/dnat.js";
import { drop } from "./targets/drop.js";
import { goto } from "./targets/goto.js";
import { jump } from "./targets/jump.js";
import { log } from "./targets/log.js";
import { masquerade } from "./targets/masquerade.js";
import { notrack } from "./targets/notrack.js";
import { redirect } from "./targets/redirect.js";
import { reject } from "./targets/reject.js";
import { returns } from "./targets/return.js";
import { setMark } from "./targets/set-mark.js";
import { snat } from "./targets/snat.js";

/** Spelled without `-m`: see header.ts. */
export type HeaderKind = "address" | "interface" | "protocol" | "fragment";
/** What only nftables can spell, and `continue`, which in iptables is a rule without a target. */
export type NftOnlyKind = "compare" | "lookup" | "assign" | "set-update" | "counter" | "continue" | "verdict-map";
type OpaqueKind = "opaque-match" | "opaque-target";

export type MatchKindOfIptables = Exclude<Match["kind"], HeaderKind | OpaqueKind | NftOnlyKind>;
export type TargetKindOfIptables = Exclude<(Action | Verdict)["kind"], OpaqueKind | NftOnlyKind>;

export const matches: { readonly [K in MatchKindOfIptables]: MatchSyntax<Extract<Match, StatementOf<K>>> } = {
  accounting,
  "address-range": addressRange,
  "address-type": addressType,
  comment,
  conntrack,
  icmp,
  limit,
  mac,
  mark,
  multiport,
  nth,
  physdev,
  random,
  recent,
  set,
  transport,
};

export const targets: {
  readonly [K in TargetKindOfIptables]: TargetSyntax<Extract<Action | Verdict, StatementOf<K>>>;
} = {
  accept,
  "copy-mark": copyMark,
  dnat,
  drop,
  goto,
  jump,
  log,
  masquerade,
  notrack,
  redirect,
  reject,
  return: returns,
  "set-mark": setMark,
  snat,
};

/** A name after `-m` or `-j` with its options, ready for reading. */
export interface Module {
  readonly name: string;
  readonly options: ReadonlyMap<string, OptionSpec>;
  readonly syntax: MatchSyntax | TargetSyntax;
}

function byName(
  spelled: readonly (readonly [
    MatchSyntax | TargetSyntax,
    Readonly<Record<string, Readonly<Record<string, OptionSpec>>>>,
  ])[],
): ReadonlyMap<string, Module> {
  const modules = new Map<string, Module>();
  for (const [syntax, names] of spelled) {
    for (const [name, options] of Object.entries(names))
      modules.set(name, { name, syntax, options: new Map(Object.entries(options)) });
  }
  return modules;
}

export const matchModules = byName(Object.values(matches).map((syntax) => [syntax as MatchSyntax, syntax.modules]));
export const targetModules = byName(Object.values(targets).map((syntax) => [syntax as TargetSyntax, syntax.targets]));

/**
 * Targets of iptables 1.8.9 that the language in the middle does not know: an undefined name from this list is such a target, any
 * other is a chain that is missing.
 */
export const foreignTargets: ReadonlySet<string> = new Set(
  (
    "AUDIT CHECKSUM CLASSIFY CLUSTERIP CONNSECMARK DNPT DSCP ECN HL HMARK IDLETIMER LED NETMAP NFQUEUE QUEUE RATEEST SECMARK SET " +
    "SNPT SYNPROXY TCPMSS TCPOPTSTRIP TEE TOS TPROXY TTL ULOG"
  ).split(" "),
);
