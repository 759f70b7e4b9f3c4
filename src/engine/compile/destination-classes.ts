import { compareAddresses } from "../../packet/address.js";
import { insideMask } from "../../packet/prefix.js";
import type { ResolvedChain, ResolvedRule } from "../../ruleset/resolve.js";
import type {
  AddressMatch,
  AddressRangeMatch,
  Expression,
  PortRange,
  SetElement,
  Statement,
} from "../../ruleset/types.js";
import { type Found, setOfRule } from "../named-set.js";
import type { Schedule } from "../path.js";
import { spanOf } from "../value.js";

/**
 * The destinations that rules behind NAT (forward, input, postrouting) can tell from others: those inside a prefix or range
 * they test, or at a port they test. All other destinations answer every such test alike. IPv4.
 */
export class DestinationClasses {
  /** The chains that packets get to after NAT. */
  readonly seen = new Set<ResolvedChain>();
  private readonly hosts = new Set<number>();
  private readonly nets: (AddressMatch | AddressRangeMatch)[] = [];
  private readonly ports = new Set<number>();
  private readonly portRanges: PortRange[] = [];

  constructor(schedule: Schedule) {
    const todo = (["forward", "input", "postrouting"] as const).flatMap((hook) =>
      schedule[hook].flatMap((s) => (s.kind === "chain" ? [s.chain] : s.kind === "nat" ? s.chains : [])),
    );
    for (let chain = todo.pop(); chain !== undefined; chain = todo.pop()) {
      if (this.seen.has(chain)) continue;
      this.seen.add(chain);
      for (const resolvedRule of chain.rules) {
        const { rule, targets } = resolvedRule;
        todo.push(...targets);
        const address = rule.statements.find(isDestinationTest);
        if (address !== undefined) this.addTest(address);
        for (const statement of rule.statements) this.addKeys(statement, resolvedRule);
        // A rule for one destination tells no other apart by the port.
        if (address?.negate === false) continue;
        for (const statement of rule.statements) {
          if (isDestinationTest(statement)) this.addTest(statement);
          else if (statement.kind === "transport") statement.dport?.ranges.forEach((range) => this.addPorts(range));
          else if (statement.kind === "multiport") statement.ranges.forEach((range) => this.addPorts(range));
        }
      }
    }
  }

  /** Whether some rule tells this destination from others. */
  names(address: number, port: number): boolean {
    if (this.hosts.has(address) || this.ports.has(port)) return true;
    return (
      this.portRanges.some(([first, last]) => port >= first && port <= last) ||
      this.nets.some((net) =>
        net.kind === "address"
          ? insideMask(address, net.value, net.mask)
          : compareAddresses(address, net.first) >= 0 && compareAddresses(address, net.last) <= 0,
      )
    );
  }

  /** What a set, map or comparison of nftables tells apart. */
  private addKeys(statement: Statement, rule: ResolvedRule): void {
    const { key, set } = keyed(statement);
    const elements = typeof set === "string" ? setOfRule(rule, set)?.index.elements : set;
    if (elements === undefined) return;
    const address = key.findIndex((part) => part.kind === "field" && part.field === "daddr");
    const port = key.findIndex((part) => part.kind === "field" && part.field === "dport");
    for (const element of elements) {
      const span = spanOf(element.key[address] ?? element.key[port] ?? "");
      if (typeof span?.first !== "number" || typeof span.last !== "number") continue;
      if (address < 0) this.addPorts([span.first, span.last]);
      else if (span.first === span.last) this.hosts.add(span.first);
      else this.nets.push({ kind: "address-range", field: "daddr", ...span, negate: false });
    }
  }

  private addTest(test: AddressMatch | AddressRangeMatch): void {
    if (test.kind === "address" && test.mask === 0xffffffff) this.hosts.add(test.value as number);
    else this.nets.push(test);
  }

  private addPorts(range: PortRange): void {
    if (range[0] === range[1]) this.ports.add(range[0]);
    else this.portRanges.push(range);
  }
}

/** The key a statement looks at, and the elements it looks for. */
function keyed(statement: Statement): { key: readonly Expression[]; set: string | readonly (SetElement & Found)[] } {
  switch (statement.kind) {
    case "compare":
      return { key: [statement.left], set: [{ key: [statement.right] }] };
    case "lookup":
      return statement;
    case "verdict-map":
      return { key: statement.key, set: statement.map };
    default:
      return { key: [], set: [] };
  }
}

function isDestinationTest(statement: Statement): statement is AddressMatch | AddressRangeMatch {
  return (statement.kind === "address" || statement.kind === "address-range") && statement.field === "daddr";
}
