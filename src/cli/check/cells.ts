/** Where packets to a service may go, and how often by the rules. */
import type { Packet } from "../../packet/packet.js";
import { add, type Fraction, toNumber, unit, ZERO } from "../../engine/fraction.js";
import { linearEngine } from "../../engine/linear.js";
import type { Outcome } from "../../engine/types.js";
import { endpointText } from "../draw/packet.js";
import type { Walking } from "../options/walk.js";

/** A place packets may go, by endpoint or verdict. */
export interface Cell {
  readonly to: string;
  readonly probability: number;
  /** Where it is known exactly. */
  readonly exact?: Fraction;
}

/** What is expected: what the rules say, or the same for each place. */
export const EXPECTATIONS = ["rules", "even"] as const;
export type Expectation = (typeof EXPECTATIONS)[number];

/** Where packets may go by the rules, exactly: linear's outcomes. `given`: conditions on state they were taken under. */
export function expectedCells(walking: Walking, packet: Packet): { cells: Cell[]; given: readonly string[] } {
  const { rules, context, ipsets } = walking;
  const { outcomes, given } = linearEngine(rules.resolved, { ipsets }).outcomes(packet, context);
  const cells = new Map<string, Fraction>();
  for (const { outcome, probability } of outcomes) {
    const to = cellName(outcome, packet.protocol);
    const known = cells.get(to);
    cells.set(to, known === undefined ? probability : add(known, probability));
  }
  return { cells: [...cells].map(([to, exact]) => exactCell(to, exact)), given };
}

const exactCell = (to: string, exact: Fraction): Cell => ({ to, probability: toNumber(exact), exact });

export function cellName({ verdict, destination }: Pick<Outcome, "verdict" | "destination">, protocol: number): string {
  if (verdict !== "accept") return verdict === "drop" ? "DROP" : "REJECT";
  return destination === undefined ? "ACCEPT" : endpointText(destination.address, destination.port, protocol);
}

/** The same cells with equal probabilities. */
export function evenCells(cells: readonly Cell[]): Cell[] {
  return cells.map(({ to }) => exactCell(to, unit(cells.length)));
}

/** Counts of the cells, in their order. What no cell expects is added as a cell of probability 0. */
export function countCells(cells: Cell[], counts: ReadonlyMap<string, number>): number[] {
  for (const to of counts.keys()) if (!cells.some((cell) => cell.to === to)) cells.push(exactCell(to, ZERO));
  return cells.map((cell) => counts.get(cell.to) ?? 0);
}

export const probabilitiesOf = (cells: readonly Cell[]): number[] => cells.map((cell) => cell.probability);
