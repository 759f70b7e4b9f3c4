import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { drawTable, formatCount, formatFigure } from "../../src/report/table.js";

describe("drawTable", () => {
  it("lines up every column, whatever stands in it", () => {
    const word = fc.stringMatching(/^[a-z0-9.,±]{1,12}$/);
    const shape = fc
      .integer({ min: 1, max: 5 })
      .chain((n) =>
        fc.tuple(
          fc.array(fc.record({ title: word, align: fc.constantFrom("left", "right") }), { minLength: n, maxLength: n }),
          fc.array(fc.array(word, { minLength: n, maxLength: n }), { maxLength: 6 }),
        ),
      );
    fc.assert(
      fc.property(shape, ([columns, rows]) => {
        const [head, rule, ...body] = drawTable(columns, rows);
        const starts = [...rule!.matchAll(/-+/g)].map(
          (dashes) => [dashes.index, dashes.index + dashes[0].length] as const,
        );
        expect(starts).toHaveLength(columns.length);
        [columns.map(({ title }) => title), ...rows].forEach((cells, r) => {
          const line = [head!, ...body][r]!;
          expect(line).toBe(line.trimEnd());
          cells.forEach((cell, c) => expect(line.slice(...starts[c]!).trim()).toBe(cell));
        });
      }),
    );
  });

  it("sets titles of several lines on the rule", () => {
    const columns = [
      { title: "services", align: "right" },
      { title: "rules\nvisited", align: "right" },
    ] as const;
    expect(drawTable(columns, [["100", "67"]])).toEqual([
      "            rules",
      "services  visited",
      "--------  -------",
      "     100       67",
    ]);
  });
});

it.each([
  [0, "0.00"],
  [0.044, "0.04"],
  [8.614, "8.61"],
  [14.16, "14.2"],
  [99.96, "100.0"],
  [356.4, "356"],
  [999.7, "1000"],
  [1234, "1,230"],
  [25_149, "25,100"],
  [Infinity, "-"],
])("formatFigure(%d) is %s", (value, text) => {
  expect(formatFigure(value)).toBe(text);
});

it.each([
  [2, "2"],
  [10_015, "10,015"],
  [5029.7597, "5,029.76"],
])("formatCount(%d) is %s", (value, text) => {
  expect(formatCount(value)).toBe(text);
});
