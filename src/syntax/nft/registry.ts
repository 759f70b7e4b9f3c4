/** The table of everything nft can spell: one line a match, one line a statement. */
import type { FieldName, Match, Statement } from "../../ruleset/types.js";
import type { StatementSyntax } from "./context.js";
import { address, addressRange } from "./matches/address.js";
import { addressType } from "./matches/address-type.js";
import { compare } from "./matches/compare.js";
import { conntrack } from "./matches/conntrack.js";
import { icmp } from "./matches/icmp.js";
import { device } from "./matches/interface.js";
import { mark } from "./matches/mark.js";
import { protocol } from "./matches/protocol.js";
import { random } from "./matches/random.js";
import { transport } from "./matches/transport.js";
import type { MatchSyntax } from "./relation.js";
import { counter } from "./statements/counter.js";
import { limit } from "./statements/limit.js";
import { log } from "./statements/log.js";
import { nat } from "./statements/nat.js";
import { notrack } from "./statements/notrack.js";
import { reject } from "./statements/reject.js";
import { setUpdate } from "./statements/set-update.js";

/** Comparisons become the first of these that reads them; `compare` reads all. */
const comparisons = [
  address,
  addressRange,
  device,
  protocol,
  transport,
  icmp,
  mark,
  conntrack,
  addressType,
  random,
] as const;

export const matchesByField = new Map<FieldName, MatchSyntax[]>();
export const matchesByKind = new Map<Match["kind"], MatchSyntax>([[compare.kind, compare as MatchSyntax]]);
for (const syntax of comparisons as readonly unknown[] as readonly MatchSyntax[]) {
  matchesByKind.set(syntax.kind, syntax);
  for (const field of syntax.fields) matchesByField.set(field, [...(matchesByField.get(field) ?? []), syntax]);
}

const statements = [reject, counter, notrack, limit, log, setUpdate, nat] as const;

export const statementsByWord = new Map<string, StatementSyntax>();
export const statementsByKind = new Map<Statement["kind"], StatementSyntax>();
for (const syntax of statements as readonly unknown[] as readonly StatementSyntax[]) {
  for (const word of syntax.words) statementsByWord.set(word, syntax);
  for (const kind of syntax.kinds) statementsByKind.set(kind, syntax);
}
