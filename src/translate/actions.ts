/** One iptables target after the other in nftables. */
import { hasPorts } from "../packet/protocol.js";
import type {
  Action,
  CopyMarkAction,
  FieldExpression,
  MapElement,
  NatRange,
  Rule,
  Statement,
  Verdict,
} from "../ruleset/types.js";
import type { Names } from "./names.js";
import { refuseRule } from "./refusal.js";

const ALL_BITS = 0xffffffff;

/** Actions and verdicts as nftables has them. Throws ProblemError where there is no counterpart. */
export function translateAction(statement: Action | Verdict, rule: Rule, names: Names): Statement[] {
  switch (statement.kind) {
    case "jump":
    case "goto":
      return [{ kind: statement.kind, chain: names.chain(statement.chain) }];
    case "copy-mark":
      return [copyMark(statement, rule)];
    case "dnat":
    case "snat":
    case "masquerade":
    case "redirect":
      checkPorts(statement.to, rule);
      return [statement];
    case "verdict-map":
      return [
        typeof statement.map === "string" ? statement : { ...statement, map: renameElements(statement.map, names) },
      ];
    case "accept":
    case "drop":
    case "reject":
    case "return":
    case "continue":
    case "set-mark":
    case "assign":
    case "log":
    case "notrack":
    case "set-update":
    case "counter":
      return [statement];
    case "opaque-target":
      return refuseRule(rule, `the target ${statement.target} is not known, so it cannot be translated`);
  }
}

/** Verdicts with the chains' names in nftables. */
export function renameElements(elements: readonly MapElement[], names: Names): MapElement[] {
  return elements.map((element) => {
    const { verdict } = element;
    if (verdict.kind !== "jump" && verdict.kind !== "goto") return element;
    return { ...element, verdict: { kind: verdict.kind, chain: names.chain(verdict.chain) } };
  });
}

/** nft combines two marks only in kernels of 2025: a copy must leave no bit of the old mark. */
function copyMark({ direction, nfmask, ctmask }: CopyMarkAction, rule: Rule): Action {
  const [from, to] = direction === "save" ? (["mark", "ctmark"] as const) : (["ctmark", "mark"] as const);
  const [taken, cleared] = direction === "save" ? [nfmask, ctmask] : [ctmask, nfmask];
  if (cleared !== ALL_BITS)
    refuseRule(rule, `CONNMARK --${direction}-mark that keeps some bits of the mark it writes has no counterpart`);
  const field: FieldExpression = { kind: "field", field: from };
  const value = taken === ALL_BITS ? field : ({ kind: "bitwise", of: field, mask: taken, xor: 0 } as const);
  return { kind: "assign", field: to, value };
}

/** nft, as iptables, wants the protocol whose ports are translated in the rule itself. */
function checkPorts({ ports }: NatRange, rule: Rule): void {
  const named = rule.statements.some((one) => one.kind === "protocol" && !one.negate && hasPorts(one.protocol));
  if (ports !== undefined && !named)
    refuseRule(rule, "a translation of ports needs a protocol with ports in its rule: -p tcp or the like");
}
