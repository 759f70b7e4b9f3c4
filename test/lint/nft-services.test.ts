/** Findings about services in rule sets of kube-proxy's nftables mode. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { lint } from "../../src/lint/lint.js";
import { resolved } from "./rules.js";

const features = join(import.meta.dirname, "../../datasets/features");
const textOf = (feature: string): string => readFileSync(join(features, feature, "rules.nft"), "utf8");

function found(text: string): string[] {
  const lines = text.split("\n");
  return lint(resolved(text)).map(
    ({ code, severity, message, place }) =>
      `${severity} ${code}: ${message} (${lines[place.span!.line - 1]!.slice(place.span!.column - 1).trim()})`,
  );
}

/** The dataset of two endpoints with another draw in place of its own. */
function withDraw(change: (draw: string, one: string, two: string) => string): string {
  const text = textOf("load-balancer");
  const draw = /numgen random mod 2 vmap \{ 0 : goto (\S+), 1 : goto (\S+) \}/.exec(text)!;
  return text.replace(draw[0], change(draw[0], draw[1]!, draw[2]!));
}

describe("lint on nftables mode", () => {
  it("has nothing to say of what kube-proxy writes, but of services without endpoints", () => {
    for (const feature of readdirSync(features)) {
      let text: string;
      try {
        text = textOf(feature);
      } catch {
        continue; // a version without nftables mode, a configuration
      }
      for (const { code, severity } of lint(resolved(text))) expect(`${feature} ${severity} ${code}`).toMatch(/ info /);
    }
  });

  it("names services that are refused, at their element", () => {
    expect(found(textOf("no-endpoints"))).toEqual([
      expect.stringMatching(
        /^info no-endpoints: service shop\/web:http has no endpoints: packets to it are rejected \(.* goto reject-chain/,
      ),
    ]);
  });

  it("numbers of a draw that lead nowhere lose connections", () => {
    const [finding, ...rest] = found(withDraw((draw) => draw.replace("mod 2", "mod 3")));
    expect(rest).toEqual([]);
    expect(finding).toMatch(
      /^error uneven-choice: service-\S+: 1\/3 of the connections get no endpoint at all \(numgen random mod 3 /,
    );
  });

  it("an endpoint with more numbers than another", () => {
    const [finding, ...rest] = found(
      withDraw((_, one, two) => `numgen random mod 4 vmap { 0-2 : goto ${one}, 3 : goto ${two} }`),
    );
    expect(rest).toEqual([]);
    expect(finding).toMatch(/^warning uneven-choice: service-\S+: 10\.1\.1\.5:8080 gets 3\/4, 10\.1\.2\.7:8080 1\/4/);
  });

  it("an endpoint that is left out of the draw", () => {
    const [finding, ...rest] = found(withDraw((_, one) => `numgen random mod 1 vmap { 0 : goto ${one} }`));
    expect(rest).toEqual([]);
    expect(finding).toMatch(
      /^warning dangling-endpoint: no rule jumps to endpoint chain endpoint-\S+ \(10\.1\.2\.7:8080\)/,
    );
  });
});
