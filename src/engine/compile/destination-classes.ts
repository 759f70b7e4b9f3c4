import { compareAddresses } from "../../packet/address.js";
import { insideMask } from "../../packet/prefix.js";
import type { ResolvedChain } from "../../ruleset/resolve.js";
import type { AddressMatch, AddressRangeMatch, PortRange, Statement } from "../../ruleset/types.js";
import type { Schedule } from "../path.js";

/**
 * The destinations that rules behind NAT (forward, input, postrouting) can tell from others: those inside a prefix or range
 * they test, or at a port they test. All other destinations answer every such test alike. IPv4.
 */
export class DestinationClasses {
  private readonly hosts = new Set<number>();
  private readonly nets: (AddressMatch | AddressRangeMatch)[] = [];
  private readonly ports = new Set<number>();
  private readonly portRanges: PortRange[] = [];

  constructor(schedule: Schedule) {
    const seen = new Set<ResolvedChain>();
    const todo = (["forward", "input", "postrouting"] as const).flatMap((hook) =>
      schedule[hook].flatMap((s) => (s.kind === "chain" ? [s.chain] : s.kind === "nat" ? s.chains : [])),
    );
    for (let chain = todo.pop(); chain !== undefined; chain = todo.pop()) {
      if (seen.has(chain)) continue;
      seen.add(chain);
      for (const { rule, target } of chain.rules) {
        if (target !== undefined) todo.push(target);
        const address = rule.statements.find(isDestinationTest);
        if (address !== undefined) this.addTest(address);
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

  private addTest(test: AddressMatch | AddressRangeMatch): void {
    if (test.kind === "address" && test.mask === 0xffffffff) this.hosts.add(test.value as number);
    else this.nets.push(test);
  }

  private addPorts(range: PortRange): void {
    if (range[0] === range[1]) this.ports.add(range[0]);
    else this.portRanges.push(range);
  }
}

function isDestinationTest(statement: Statement): statement is AddressMatch | AddressRangeMatch {
  return (statement.kind === "address" || statement.kind === "address-range") && statement.field === "daddr";
}
