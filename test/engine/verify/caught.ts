import { expect } from "vitest";
import type { ResolvedChain, ResolvedRuleSet } from "../../../src/ruleset/resolve.js";
import type { Plan } from "../../../src/engine/compile/compile.js";
import type { KeyTable } from "../../../src/engine/compile/key-table.js";
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

/** The arrays of a table. */
export interface TableArrays {
  key: Int32Array;
  fields: { mask: number; mod: number; source: number; protocol: number }[];
  first: Uint32Array;
  last: Uint32Array;
  spanValues: Int32Array;
  rows: Int32Array;
  used: Uint8Array;
  slot: () => number;
}

/** The table that the nth operation of a kind in a chain looks into. */
export function tableOf(plan: Plan, chain: string, op: number, nth = 0): TableArrays {
  return plan.columns.tables.rows[plan.columns.code[operations(plan, chain, op)[nth]! + 1]!] as KeyTable & TableArrays;
}

/** Offsets of the taken rows, and how wide a row is: parts of the key and a value. */
export function rowsOf({ rows, used, key }: TableArrays): { at: number[]; width: number } {
  const width = key.length + 1;
  return {
    at: [...used].flatMap((taken, slot) => (taken === 1 ? [slot * width] : [])),
    width: rows.length / used.length,
  };
}
