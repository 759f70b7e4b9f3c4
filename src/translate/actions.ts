/** One iptables target after the other in nftables. */
import { hasPorts } from "../packet/protocol.js";
import type {
  Action,
  CopyMarkAction,
  LogAction,
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
    case "log":
      return [log(statement, rule)];
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

/** nft combines two marks only in kernels of 2025: a copy must leave no bit of the mark it writes. */
function copyMark(action: CopyMarkAction, rule: Rule): Action {
  const { direction, nfmask, ctmask } = action;
  if ((direction === "save" ? ctmask : nfmask) !== ALL_BITS)
    refuseRule(rule, `CONNMARK --${direction}-mark that keeps some bits of the mark it writes has no counterpart`);
  return action;
}

/** NFLOG without a group means group 0; nft's log without one means the kernel's log. */
function log(action: LogAction, rule: Rule): Action {
  const { target, options } = action;
  const prefix = options.indexOf(target === "LOG" ? "--log-prefix" : "--nflog-prefix");
  if (prefix >= 0 && /["\\\n]/.test(options[prefix + 1]!))
    refuseRule(rule, "the prefix of this log has a quotation mark or backslash, which nft cannot write");
  if (options.includes("--nflog-range"))
    refuseRule(rule, "--nflog-range has no counterpart in nftables (the kernel never heeded it); --nflog-size has");
  if (target !== "NFLOG" || options.includes("--nflog-group")) return action;
  const at = options.indexOf("--nflog-prefix") + 2;
  const [before, after] = prefix < 0 ? [[], options] : [options.slice(0, at), options.slice(at)];
  return { ...action, options: [...before, "--nflog-group", "0", ...after] };
}

/** nft, as iptables, wants the protocol whose ports are translated in the rule itself. */
function checkPorts({ ports }: NatRange, rule: Rule): void {
  const named = rule.statements.some((one) => one.kind === "protocol" && !one.negate && hasPorts(one.protocol));
  if (ports !== undefined && !named)
    refuseRule(rule, "a translation of ports needs a protocol with ports in its rule: -p tcp or the like");
}
