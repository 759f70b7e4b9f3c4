import { type Address, anyAddress, type Family, sameAddress } from "../packet/address.js";
import { prefixMask } from "../packet/prefix.js";
import { type Problem, warning } from "../ruleset/problem.js";
import type {
  Expression,
  RecentMatch,
  Rule,
  SetDefinition,
  SetUpdateAction,
  Statement,
  Table,
} from "../ruleset/types.js";
import type { Names } from "./names.js";
import { refuseRule } from "./refusal.js";

/** What the kernel makes of a dynamic set without a size. */
const SET_SIZE = 65535;

/** Throws ProblemError where a list is named in two tables: a set belongs to one. */
export function refuseSharedLists(tables: readonly Table[]): void {
  const owners = new Map<string, Table>();
  for (const table of tables)
    for (const { rules } of table.chains)
      for (const rule of rules)
        for (const statement of rule.statements) {
          if (statement.kind !== "recent") continue;
          const owner = owners.get(statement.name) ?? table;
          if (owner !== table)
            refuseRule(
              rule,
              `the recent list ${statement.name} is used in the tables ${owner.name} and ${table.name}: a set belongs to one table`,
            );
          owners.set(statement.name, table);
        }
}

interface List {
  readonly set: string;
  /** Since when an entry counts; undefined: for ever. */
  readonly seconds: number | undefined;
  /** The rule that asks for it, to blame. */
  readonly asked: Rule | undefined;
}

/**
 * xt_recent in nftables: each list a set of addresses that time out. That is exact where the list is asked for one span of seconds, without
 * counting hits: an address is in the set as long as its last entry is younger. A list holds 100 addresses and forgets the oldest
 * (ip_list_tot); the set holds 65,535.
 */
export class RecentSets {
  private readonly lists = new Map<string, List>();

  constructor(
    table: Table,
    private readonly family: Family,
    names: Names,
  ) {
    for (const { rules } of table.chains)
      for (const rule of rules)
        for (const statement of rule.statements) if (statement.kind === "recent") this.collect(statement, rule, names);
  }

  private collect(match: RecentMatch, rule: Rule, names: Names): void {
    const asks = match.action === "rcheck" || match.action === "update";
    if ((match.hitcount ?? 1) > 1)
      refuseRule(rule, "recent --hitcount counts packets by address, which a set cannot: it has no counterpart");
    if (match.ttl === true) refuseRule(rule, "recent --rttl has no counterpart in nftables");
    const known = this.lists.get(match.name);
    if (known === undefined)
      this.lists.set(match.name, {
        set: names.fresh(`recent-${match.name}`),
        seconds: asks ? match.seconds : undefined,
        asked: asks ? rule : undefined,
      });
    else if (asks && known.asked === undefined)
      this.lists.set(match.name, { ...known, seconds: match.seconds, asked: rule });
    else if (asks && known.seconds !== match.seconds)
      refuseRule(rule, `the recent list ${match.name} is asked for different spans of seconds: a set has one time-out`);
  }

  /** The sets, in the order of the lists' first mention. */
  sets(): SetDefinition[] {
    return [...this.lists.values()].map(({ set, seconds }): SetDefinition => {
      const timed = seconds === undefined ? {} : { timeout: seconds * 1000 };
      return {
        name: set,
        type: [this.family === "ip" ? "ipv4_addr" : "ipv6_addr"],
        flags: seconds === undefined ? ["dynamic"] : ["dynamic", "timeout"],
        size: SET_SIZE,
        ...timed,
        elements: [],
      };
    });
  }

  /** What differs from the lists. */
  warnings(): Problem[] {
    if (this.lists.size === 0) return [];
    const message = `recent lists hold 100 addresses (ip_list_tot) and forget the oldest; as sets they hold ${SET_SIZE.toLocaleString("en")}`;
    return [warning("recent-as-set", message)];
  }

  /** The statements of one match. Throws ProblemError for what a set cannot do. */
  translate(match: RecentMatch, rule: Rule): Statement[][] {
    const { set } = this.lists.get(match.name)!;
    const key = [this.address(match)];
    const write = (operation: SetUpdateAction["operation"]): SetUpdateAction => ({
      kind: "set-update",
      operation,
      set,
      key,
    });
    const there = (negate: boolean): Statement => ({ kind: "lookup", key, set, negate });
    if (match.action === "rcheck") return [[there(match.negate)]];
    if (match.negate && match.action === "remove")
      refuseRule(rule, "! recent --remove takes an address out where the rule does not match: it has no counterpart");
    if (match.negate && match.action === "set")
      refuseRule(rule, "! recent --set writes and never matches: it has no counterpart");
    if (match.negate && match.action === "update")
      refuseRule(rule, "! recent --update refreshes what has grown too old, which a set has forgotten: no counterpart");
    if (match.action === "set") return [[write("update")]];
    return [[there(false), write(match.action === "remove" ? "delete" : "update")]];
  }

  private address({ side, mask }: RecentMatch): Expression {
    const field: Expression = {
      kind: "field",
      field: side === "source" ? "saddr" : "daddr",
      family: this.family,
    };
    const whole: Address = prefixMask(this.family, this.family === "ip" ? 32 : 128);
    return sameAddress(mask, whole) ? field : { kind: "bitwise", of: field, mask, xor: anyAddress(this.family) };
  }
}
