import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type JsonNode, parseJson } from "../../src/cli/json-text.js";
import { ProblemError } from "../../src/ruleset/problem.js";

const rerun =
  "rerun: npx vitest run --config test/vitest.config.ts test/cli/json-text.test.ts, with {seed, path} of the report in fc.assert";

/** The plain value; members of an object in the order of the text. */
function valueOf(node: JsonNode): unknown {
  if (node.kind === "scalar") return node.value;
  if (node.kind === "array") return node.items.map(valueOf);
  return Object.fromEntries([...node.members].map(([name, member]) => [name, valueOf(member)]));
}

const accepts = (parse: (text: string) => unknown, text: string): boolean => {
  try {
    parse(text);
    return true;
  } catch (thrown) {
    if (thrown instanceof ProblemError || thrown instanceof SyntaxError) return false;
    throw thrown;
  }
};

describe("JSON with places", () => {
  it("reads what JSON.parse reads", () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 5 }), fc.constantFrom(undefined, 1, "\t"), (value, indent) => {
        const text = JSON.stringify(value, undefined, indent);
        expect(JSON.stringify(valueOf(parseJson(text))), rerun).toBe(JSON.stringify(JSON.parse(text)));
      }),
      { numRuns: 500 },
    );
  });

  it("accepts a damaged text exactly where JSON.parse does, and places what is wrong inside it", () => {
    const damaged = fc
      .tuple(
        fc.jsonValue({ maxDepth: 3 }),
        fc.nat(200),
        fc.nat(3),
        fc.constantFrom("", ",", '"', "]", "}", "[", "x", "1", " ", "\\", "\n", "-"),
      )
      .map(([value, at, cut, put]) => {
        const text = JSON.stringify(value);
        const place = at % (text.length + 1);
        return text.slice(0, place) + put + text.slice(place + cut);
      })
      .filter((text) => !/"([^"]*)":.*"\1":/s.test(text));
    fc.assert(
      fc.property(damaged, (text) => {
        expect(accepts(parseJson, text), `${text}; ${rerun}`).toBe(accepts(JSON.parse, text));
      }),
      { numRuns: 2000 },
    );
  });

  it("places every value where it stands", () => {
    const text = '{"a": [10, {"b": "x"}],\n "c": null}';
    const root = parseJson(text);
    const found: string[] = [];
    const visit = (node: JsonNode): void => {
      found.push(text[node.at]!);
      if (node.kind === "array") node.items.forEach(visit);
      if (node.kind === "object") [...node.members.values()].forEach(visit);
    };
    visit(root);
    expect(found).toEqual(["{", "[", "1", "{", '"', "n"]);
  });

  for (const [text, message, line, column] of [
    ["", "truncated", 1, 1],
    ["[1,\n2", "truncated", 2, 2],
    ["[1 2]", 'expected "," or "]"', 1, 4],
    ['{"a" 1}', 'expected ":"', 1, 6],
    ["{a: 1}", "name of a member", 1, 2],
    ['["a]', "no closing", 1, 2],
    ["[01]", "expected a JSON value", 1, 2],
    ["[] []", "nothing more", 1, 4],
    ['{"a":1,"a":2}', "stands twice", 1, 8],
    ["[".repeat(300), "nested deeper", 1, 202],
  ] as const) {
    it(`says what is wrong with ${text.slice(0, 20)}`, () => {
      try {
        parseJson(text);
        expect.unreachable();
      } catch (thrown) {
        const [problem] = (thrown as ProblemError).problems;
        expect(problem!.message).toContain(message);
        expect(problem!.span).toEqual({ line, column });
      }
    });
  }
});
