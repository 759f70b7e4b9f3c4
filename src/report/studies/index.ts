import type { Document } from "../document.js";
import type { Measurement } from "../measurement.js";
import { documentAny } from "./any.js";
import { documentCompile } from "./compile.js";
import { documentConntrack } from "./conntrack.js";
import { documentDistribution } from "./distribution.js";
import { documentKernel } from "./kernel/document.js";
import { documentLookup } from "./lookup/document.js";
import { documentMix } from "./mix.js";
import { documentPosition } from "./position.js";
import { documentScale } from "./scale.js";

const documents: ReadonlyMap<string, (record: Measurement) => Document> = new Map([
  ["lookup", documentLookup],
  ["scale", documentScale],
  ["position", documentPosition],
  ["conntrack", documentConntrack],
  ["compile", documentCompile],
  ["mix", documentMix],
  ["distribution", documentDistribution],
  ["kernel", documentKernel],
]);

/** What a record says, by its study; a study that is not known is shown case by case. */
export function documentOf(record: Measurement): Document {
  return (documents.get(record.study) ?? documentAny)(record);
}

/** The order of studies in reports: known ones first, as in the list above. */
export function compareStudies(a: string, b: string): number {
  const names = [...documents.keys()];
  const [left, right] = [a, b].map((name) => (documents.has(name) ? names.indexOf(name) : names.length));
  return left === right ? (a < b ? -1 : 1) : left! - right!;
}
