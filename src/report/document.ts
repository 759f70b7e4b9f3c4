import type { TopLevelSpec } from "vega-lite";
import type { TableColumn } from "./table.js";

/** What a study has to say, before anyone decides how it is written: as text, Markdown, LaTeX or a page. All strings are plain text. */
export interface Document {
  readonly study: string;
  readonly title: string;
  /** What must be known to read the tables. */
  readonly remarks: readonly string[];
  readonly sections: readonly Section[];
  readonly figures: readonly Figure[];
}

/** A titled part: a table, what was judged, or paragraphs; what it lacks is left out. */
export interface Section {
  readonly title: string;
  readonly table?: Table;
  readonly verdicts?: readonly Verdict[];
  readonly paragraphs?: readonly string[];
}

export interface Table {
  readonly columns: readonly TableColumn[];
  readonly rows: readonly (readonly string[])[];
}

export interface Verdict {
  readonly what: string;
  /** `not measured`: the run did not hold what it takes; `too noisy`: it did, but the machine was too busy to tell. */
  readonly outcome: "pass" | "miss" | "too noisy" | "not measured";
  readonly detail: string;
}

/** A picture, with what it is called in file names and what stands under it. */
export interface Figure {
  readonly name: string;
  readonly caption: string;
  readonly spec: TopLevelSpec;
}

export const left = (title: string): TableColumn => ({ title, align: "left" });
export const right = (title: string): TableColumn => ({ title, align: "right" });

/** The sections there are. */
export function present(sections: readonly (Section | undefined)[]): Section[] {
  return sections.filter((section) => section !== undefined);
}

/** Figures whose specification is there. */
export function figures(
  list: readonly (readonly [name: string, caption: string, spec: TopLevelSpec | undefined])[],
): Figure[] {
  return list.flatMap(([name, caption, spec]) => (spec === undefined ? [] : [{ name, caption, spec }]));
}
