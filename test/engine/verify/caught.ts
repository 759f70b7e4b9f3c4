import { expect } from "vitest";
import type { ResolvedChain, ResolvedRuleSet } from "../../../src/ruleset/resolve.js";
import type { Plan } from "../../../src/engine/compile/compile.js";
import { Op } from "../../../src/engine/compile/operations.js";
import { indexedEngine } from "../../../src/engine/indexed.js";
import { linearEngine } from "../../../src/engine/linear.js";
import { verify } from "../../../src/engine/verify/verify.js";
import { differs } from "../../../src/engine/verify/witness.js";

/** A damaged plan of a rule set is not called equal, and the packet shown really fares differently; no sample is taken to find it. */
export function expectCaught(plan: Plan, resolved: ResolvedRuleSet): void {
  const { node } = plan;
  const found = verify(plan, { witnesses: 0 });
  expect(found.equal).toBe(false);
  const shown = found.counterexample;
  expect(shown, found.reason).toBeDefined();
  if (shown!.draw === undefined) {
    const indexed = indexedEngine(resolved, { node, plan, draws: "replay" });
    expect(differs(linearEngine(resolved), indexed, shown!), found.reason).toBe(true);
  } else {
    const [right, wrong] = [indexedEngine(resolved, { node }), indexedEngine(resolved, { node, plan })].map(
      (engine) => engine.classify(shown!.packet, shown!.context).destination,
    );
    expect(wrong).not.toEqual(right);
  }
}

export function chainNamed({ resolved }: Plan, name: string): ResolvedChain {
  const chain = resolved.chains.find((one) => one.name === name);
  if (chain === undefined) throw new Error(`no chain ${name}`);
  return chain;
}

/** The offsets of the operations of a kind in the code of a chain, rule by rule. */
export function operations(plan: Plan, chain: string, op: number): number[] {
  const { columns } = plan;
  const { id } = chainNamed(plan, chain);
  const found: number[] = [];
  for (let row = columns.chainStart[id]!; row < columns.chainEnd[id]!; row++)
    for (let pc = columns.entry[row]!; ; pc += 4) {
      if (columns.code[pc] === op) found.push(pc);
      if (columns.code[pc]! >= Op.accept || columns.code[pc]! <= Op.general) break;
    }
  if (found.length === 0) throw new Error(`chain ${chain} has no operation ${op}`);
  return found;
}
