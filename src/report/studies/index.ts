import type { Document } from "../document.js";
import { compareBuilds } from "../compare/document.js";
import type { Factors, Measurement } from "../measurement.js";
import { documentAny } from "./any.js";
import { documentCompile } from "./compile.js";
import { documentConntrack } from "./conntrack.js";
import { documentDistribution } from "./distribution.js";
import { documentKernel } from "./kernel/document.js";
import { documentLookup } from "./lookup/document.js";
import { documentMaps } from "./maps.js";
import { documentMix } from "./mix.js";
import { documentPosition } from "./position.js";
import { documentScale } from "./scale.js";

const documents: ReadonlyMap<string, (record: Measurement) => Document> = new Map([
  ["lookup", documentLookup],
  ["scale", documentScale],
  ["position", documentPosition],
  ["conntrack", documentConntrack],
  ["compile", documentCompile],
  ["maps", documentMaps],
  ["mix", documentMix],
  ["distribution", documentDistribution],
  ["kernel", documentKernel],
]);

/**
 * What a record says, by its study; a study that is not known is shown case by case. Of two builds the tables and plots are of this one, and what the
 * other is to it stands at the end.
 */
export function documentOf(record: Measurement): Document {
  const document = (documents.get(record.study) ?? documentAny)(ofThisBuild(record));
  const compared = compareBuilds(record)?.document;
  if (compared === undefined) return document;
  const [first, ...rest] = compared.sections;
  const section = { ...first!, title: compared.title };
  return { ...document, sections: [...document.sections, section, ...rest] };
}

/** The record without what the other build measured; the factor `build` is gone. */
function ofThisBuild(record: Measurement): Measurement {
  const own = <T extends { factors: Factors }>(all: readonly T[]): T[] =>
    all.flatMap((one) => {
      const { build, ...factors } = one.factors;
      return build === "other" ? [] : [{ ...one, factors }];
    });
  return { ...record, cases: own(record.cases), picks: own(record.picks) };
}

/** The order of studies in reports: known ones first, as in the list above. */
export function compareStudies(a: string, b: string): number {
  const names = [...documents.keys()];
  const [left, right] = [a, b].map((name) => (documents.has(name) ? names.indexOf(name) : names.length));
  return left === right ? (a < b ? -1 : 1) : left! - right!;
}
