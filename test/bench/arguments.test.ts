import { describe, expect, it } from "vitest";
import { ArgumentError, parseArguments, QUICK_DURATION } from "../../bench/arguments.js";
import { studies } from "../../bench/studies/index.js";

const parse = (...words: string[]) => parseArguments(words, studies);

describe("parseArguments", () => {
  it("runs the main study, over all sizes and engines, by default", () => {
    expect(parse()).toEqual({
      study: "lookup",
      quick: false,
      services: [100, 300, 1000, 3000, 10_000],
      endpoints: 5,
      seed: 1,
      duration: 165,
      engines: ["linear", "indexed", "string-map"],
      out: "bench/results",
      json: false,
    });
  });

  it.each<[string, string[], object]>([
    [
      "another study has sizes and a duration of its own",
      ["--study", "position"],
      { services: [10_000], duration: 90 },
    ],
    ["quick is one size alone", ["--quick"], { quick: true, services: [10_000], duration: QUICK_DURATION }],
    ["quick of given sizes", ["--quick", "--services", "50,20"], { services: [50] }],
    ["sizes are sorted, each once", ["--services", "300,100,300"], { services: [100, 300] }],
    ["engines keep their order", ["--engine", "indexed,linear"], { engines: ["linear", "indexed"] }],
    ["a quick run of another study", ["--study", "scale", "--quick"], { services: [1000], duration: QUICK_DURATION }],
    ["another build", ["--against", "x/dist"], { against: "x/dist" }],
    ["a part", ["--shard", "2/3"], { shard: { index: 2, count: 3 } }],
    ["a duration of its own", ["--quick", "--duration", "9"], { duration: 9 }],
    [
      "all others",
      ["--endpoints", "3", "--seed", "0", "--out", "x", "--json"],
      { endpoints: 3, seed: 0, out: "x", json: true },
    ],
  ])("%s", (_, words, expected) => {
    expect(parse(...words)).toMatchObject(expected);
  });

  it("takes one part of one for all of it", () => {
    expect(parse("--shard", "1/1")).toEqual(parse());
  });

  it.each([
    [["--services", "2"], "from 3 to 100000"],
    [["--services", "100,x"], "from 3 to 100000"],
    [["--endpoints", "0"], "from 1 to 1000"],
    [["--seed", "-1"], "whole number"],
    [["--seed", "1.5"], "whole number"],
    [["--duration", "0"], "from 1 to"],
    [["--engine", "ipvs"], '"ipvs" is none of linear, indexed, string-map'],
    [["--study", "nothing"], "lookup"],
    [["--shard", "0/3"], "i/n with i from 1 to n"],
    [["--shard", "4/3"], "i/n with i from 1 to n"],
    [["--shard", "1"], "i/n with i from 1 to n"],
    [["--unknown"], "unknown option"],
    [["surplus"], "too many arguments"],
  ])("refuses %j and says why", (words, why) => {
    let thrown: unknown;
    try {
      parse(...words);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(ArgumentError);
    expect((thrown as ArgumentError).exitCode).toBe(2);
    expect((thrown as ArgumentError).message).toContain(why);
  });
});
