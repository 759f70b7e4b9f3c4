/** The compiled columns as rows: read off the flat arrays, column by column and operation by operation, by nothing the compiler uses. */
import type { ResolvedRule } from "../../ruleset/resolve.js";
import type { Columns } from "../compile/columns.js";
import { Op } from "../compile/operations.js";
import { interfaceHolds } from "../evaluate.js";
import { ALL, type DiagramNode, NOTHING } from "./diagrams.js";
import type { Choice, Lookup, LookupReader } from "./read-lookups.js";
import { readTable } from "./read-tables.js";
import { drawsIn } from "./read-values.js";
import type { Program, Row, Step } from "./rows.js";
import type { Space } from "./space.js";

/** The program of the columns of a plan. `visited`: see rulesProgram. */
export function columnsProgram(
  columns: Columns,
  space: Space,
  lookups: LookupReader,
  visited: (chain: number, index: number) => DiagramNode,
): Program {
  const { chainStart, chainEnd } = columns;
  const counting = Array.from(chainStart, (_, chain) => {
    for (let row = chainStart[chain]!; row < chainEnd[chain]!; row++) {
      for (let pc = columns.entry[row]!; columns.code[pc]! !== Op.end && columns.code[pc]! !== Op.general; pc += 4)
        if (columns.code[pc] === Op.random || readsDraw(columns, pc)) return true;
    }
    return false;
  });
  return {
    name: "columns",
    length: (chain) => chainEnd[chain]! - chainStart[chain]!,
    row(chain, index): Row {
      const row = chainStart[chain]! + index;
      return { visited: visited(chain, index), steps: readRow(columns, row, space, lookups) };
    },
    counts: (chain) => counting[chain]!,
  };
}

/** Whether an operation looks up a key with a random part. */
function readsDraw({ code, tables }: Columns, pc: number): boolean {
  if (code[pc] !== Op.inTable && code[pc] !== Op.verdictMap && code[pc] !== Op.dnatMap) return false;
  return readTable(tables.rows[code[pc + 1]!]!).key.some((expression) => drawsIn(expression) > 0);
}

function readRow(columns: Columns, row: number, space: Space, lookups: LookupReader): Step[] {
  const { code } = columns;
  const reader = lookups.matches;
  const steps: Step[] = readHead(columns, row, space).map((set) => ({ kind: "header", set }));
  let drawn = 0;
  for (let pc = columns.entry[row]!; ; pc += 4) {
    const [op, a, b, negate] = [code[pc]!, code[pc + 1]!, code[pc + 2]!, code[pc + 3] === 1];
    const header = (set: DiagramNode): void => {
      steps.push({ kind: "header", set: negate ? space.diagrams.not(set) : set });
    };
    switch (op) {
      case Op.end:
        return steps;
      case Op.mark:
        steps.push({ kind: "mark", field: "mark", value: a >>> 0, mask: b >>> 0, negate });
        break;
      case Op.state:
        header(reader.states(a));
        break;
      case Op.src:
      case Op.dst:
        header(space.masked(op === Op.src ? "src" : "dst", a >>> 0, b >>> 0));
        break;
      case Op.protocol:
        header(space.equals("protocol", a));
        break;
      case Op.iif:
      case Op.oif:
        steps.push({
          kind: "header",
          set: space.whereName(op === Op.iif ? "iif" : "oif", (name) => interfaceHolds(columns.tests.rows[a]!, name)),
        });
        break;
      case Op.srcLocal:
      case Op.dstLocal:
        header(reader.local(op === Op.srcLocal ? "src" : "dst"));
        break;
      case Op.random:
        steps.push({ kind: "chance", rule: columns.ids[row]!, ordinal: drawn++, threshold: a, negate });
        break;
      case Op.status: {
        const statuses = reader.statuses(a);
        const { diagrams } = space;
        steps.push({ kind: "header", set: diagrams.and(reader.marked, negate ? diagrams.not(statuses) : statuses) });
        break;
      }
      case Op.inTable:
      case Op.verdictMap:
      case Op.dnatMap: {
        const number = op;
        const table = columns.tables.rows[a]!;
        const rule = columns.rules[row]!;
        const { key, elements, ranged } = readTable(table);
        const at = { rule: columns.ids[row]!, statement: pc, draws: drawn };
        drawn += key.reduce((sum, expression) => sum + drawsIn(expression), 0);
        const lookup: Omit<Lookup, "choices"> = {
          key,
          alike: op === Op.inTable,
          negate: op === Op.inTable && negate,
          changes: false,
          refusal: [GENERAL],
          doubt: ranged ? "always" : "never",
        };
        const choices = (): Choice[] =>
          elements.map(({ parts, value }) => ({ key: parts, steps: readFound(number, value, columns, rule) }));
        steps.push(lookups.step("columns", at, rule, lookup, choices));
        if (op === Op.dnatMap) return steps;
        break;
      }
      case Op.flags:
        header(space.masked("tcpFlags", a, b));
        break;
      case Op.constant:
        steps.push({ kind: "header", set: a === 1 ? ALL : NOTHING });
        break;
      case Op.setMark:
        steps.push({ kind: "set-mark", field: "mark", clear: a >>> 0, xor: b >>> 0 });
        break;
      case Op.dnat: {
        const ports = b < 0 ? {} : { ports: [b, b] as const };
        steps.push({ kind: "end", end: { kind: "dnat", to: { addresses: [a >>> 0, a >>> 0], ...ports } } });
        return steps;
      }
      case Op.masquerade:
        steps.push({ kind: "end", end: { kind: "masquerade", to: a === 1 ? { fullyRandom: true } : {} } });
        return steps;
      default:
        return [...steps, ...(readVerdict(op, a, columns.rules[row]!) ?? [GENERAL])];
    }
  }
}

const GENERAL: Step = { kind: "end", end: { kind: "general" } };

/** What an operation does that leaves its rule for good; undefined for all others. */
function readVerdict(op: number, a: number, { rule }: ResolvedRule): Step[] | undefined {
  switch (op) {
    case Op.general:
      return [GENERAL];
    case Op.accept:
    case Op.drop:
      return [{ kind: "end", end: { kind: op === Op.accept ? "accept" : "drop" } }];
    case Op.reject: {
      const last = rule.statements.at(-1);
      return [{ kind: "end", end: { kind: "reject", with: last?.kind === "reject" ? last.with : "" } }];
    }
    case Op.return:
      return [{ kind: "return" }];
    case Op.jump:
    case Op.goto:
      return [{ kind: op === Op.jump ? "jump" : "goto", chain: a }];
    default:
      return undefined;
  }
}

/** What the value a table holds for a key leads to. */
function readFound(op: number, value: number, { tables }: Columns, rule: ResolvedRule): Step[] {
  if (op === Op.inTable) return [];
  if (op === Op.dnatMap) {
    const [address, port] = [tables.destinations[2 * value]! >>> 0, tables.destinations[2 * value + 1]!];
    const ports = port < 0 ? {} : { ports: [port, port] as const };
    return [{ kind: "end", end: { kind: "dnat", to: { addresses: [address, address], ...ports } } }];
  }
  const [verdict, operand] = [value & 0xff, value >>> 8];
  if (verdict === Op.constant) return operand === 1 ? [] : [{ kind: "continue" }];
  const steps = readVerdict(verdict, operand, rule);
  // The scan would carry it out, whatever it is.
  if (steps === undefined)
    throw new Error(`a verdict map of the columns holds operation ${verdict}, which is no verdict`);
  return steps;
}

/** The tests of a row that stand in columns of their own. */
function readHead(columns: Columns, row: number, space: Space): DiagramNode[] {
  const sets: DiagramNode[] = [];
  const address = (column: Uint32Array, field: "dst" | "src"): void => {
    const mask = column[2 * row + 1]!;
    // ((address ^ value) & mask) === 0: bits of the value outside of the mask do not count.
    if (mask !== 0) sets.push(space.masked(field, (column[2 * row]! & mask) >>> 0, mask));
  };
  address(columns.dst, "dst");
  if (columns.more[row] === 0) return sets;
  if (columns.protocol[row] !== 0) sets.push(space.equals("protocol", columns.protocol[row]!));
  const ports = (first: number, last: number, field: "sport" | "dport"): void => {
    if (first !== 0 || last !== 0xffff) sets.push(space.between(field, first, last));
  };
  ports(columns.dportFirst[row]!, columns.dportLast[row]!, "dport");
  ports(columns.sportFirst[row]!, columns.sportLast[row]!, "sport");
  address(columns.src, "src");
  return sets;
}
