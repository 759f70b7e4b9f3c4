import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { wrap, wrapRule } from "../../src/cli/draw/wrap.js";

const rerun =
  "rerun: npx vitest run --config test/vitest.config.ts test/cli/wrap.test.ts, with {seed, path} of the report in fc.assert";
const option = fc.oneof(
  fc.constantFrom("-p tcp", "! -s 10.0.0.0/8", "-m tcp --dport 80", "-j KUBE-SVC-4N57TFCL4MD7ZTDA", "--ctstate NEW"),
  fc.string({ maxLength: 60 }).map((text) => `--comment "${text.replace(/["\\]/g, "\\$&")}"`),
);
const rule = fc.array(option, { minLength: 1, maxLength: 8 }).map((options) => options.join(" "));
const width = fc.integer({ min: 10, max: 120 });

describe("wrapping", () => {
  it("loses nothing: the lines joined by blanks are the text", () => {
    fc.assert(
      fc.property(rule, width, (text, columns) => {
        expect(wrap(text, columns).join(" "), rerun).toBe(text);
        expect(wrapRule(text, columns).join(" "), rerun).toBe(text);
      }),
      { numRuns: 400 },
    );
  });

  it("keeps lines within the width, single words excepted", () => {
    fc.assert(
      fc.property(rule, width, (text, columns) => {
        for (const line of [...wrap(text, columns), ...wrapRule(text, columns)])
          expect(line.length <= columns || !line.includes(" "), `${line}; ${rerun}`).toBe(true);
      }),
      { numRuns: 400 },
    );
  });

  it("breaks rules before options", () => {
    expect(wrapRule('-d 10.0.0.1/32 -m comment --comment "a -j b" ! -s 10.0.0.0/8 -j ACCEPT', 24)).toEqual([
      "-d 10.0.0.1/32",
      "-m comment",
      '--comment "a -j b"',
      "! -s 10.0.0.0/8",
      "-j ACCEPT",
    ]);
  });
});
