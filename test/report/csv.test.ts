import { describe, expect, it } from "vitest";
import { formatCsv } from "../../src/report/formats/csv.js";
import { summarizeRounds } from "../../src/report/rounds.js";
import { makeRecord } from "./record.js";

/** Reads RFC 4180. */
function parseCsv(text: string): string[][] {
  const rows: string[][] = [[]];
  for (let at = 0; at < text.length;) {
    const field = /"((?:[^"]|"")*)"|([^",\r\n]*)/y;
    field.lastIndex = at;
    const found = field.exec(text)!;
    rows[rows.length - 1]!.push(found[1] === undefined ? found[2]! : found[1].replaceAll('""', '"'));
    at = field.lastIndex;
    if (text[at] === ",") at++;
    else {
      expect(text.slice(at, at + 2)).toBe("\r\n");
      at += 2;
      if (at < text.length) rows.push([]);
    }
  }
  return rows;
}

describe("formatCsv", () => {
  const record = makeRecord([100, 10_000]);
  const [titles, ...rows] = parseCsv(formatCsv(record));
  const cell = (row: number, title: string) => rows[row]![titles!.indexOf(title)];

  it("has a line for each case, all of one width, and no title twice", () => {
    expect(rows).toHaveLength(record.cases.length);
    for (const row of rows) expect(row).toHaveLength(titles!.length);
    expect(new Set(titles).size).toBe(titles!.length);
  });

  it("says what the record says", () => {
    record.cases.forEach((one, i) => {
      expect(Number(cell(i, "median"))).toBeCloseTo(summarizeRounds(one.rounds).median, 2);
      expect(cell(i, "engine")).toBe(one.factors.engine);
      expect(Number(cell(i, "services"))).toBe(one.factors.services);
      expect(cell(i, "rules_visited")).toBe(String(one.exact.rulesVisited ?? ""));
      expect(Number(cell(i, "median_low"))).toBeLessThanOrEqual(Number(cell(i, "median")));
    });
  });

  it("carries the run in every line, whatever stands in its names", () => {
    for (let i = 0; i < rows.length; i++) {
      expect(cell(i, "seed")).toBe("1");
      expect(cell(i, "cpu")).toBe('Example "Fast" CPU, 3 GHz, 2 CPUs');
      expect(cell(i, "flags")).toBe("'--max-old-space-size=4096");
    }
  });

  it.each(["=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20"])(
    "holds no cell a spreadsheet would run: %j",
    (sign) => {
      const evil = `${sign}cmd|' /C calc'!A0,"x"`;
      const run = record.runs[0]!;
      const environment = { ...run.environment, cpu: evil, node: evil, kernel: evil, platform: evil, compiler: evil };
      const hostile = {
        ...record,
        seed: -7,
        runs: [{ ...run, command: [evil], started: evil, environment: { ...environment, nodeFlags: [evil] } }],
        cases: record.cases.map((one) => ({
          ...one,
          per: evil,
          factors: { ...one.factors, engine: evil, change: evil },
        })),
      };
      const [names, ...lines] = parseCsv(formatCsv(hostile));
      for (const line of lines) {
        const named = Object.fromEntries(line.map((text, i) => [names![i], text]));
        for (const name of ["engine", "change", "per", "started", "compiler", "flags"])
          expect(named[name]).toBe(`'${evil}`);
        expect(named.seed).toBe("-7");
        for (const text of line) expect(text).toMatch(/^(-?[\d.]+$|[^=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]|$)/);
      }
    },
  );
});
