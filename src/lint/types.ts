/** What lint finds, and the one shape of every kind of finding. */
import type { Place } from "./place.js";
import type { Subject } from "./subject.js";

/**
 * `info`: worth knowing, and right. `warning`: something does less than it seems to, or is spread unevenly. `error`: packets to a
 * service go wrong.
 */
export type Severity = "info" | "warning" | "error";

export interface Finding {
  /** Stable, kebab-case: the code of its check. */
  readonly code: string;
  readonly severity: Severity;
  /** What is found. */
  readonly message: string;
  /** What would be right. */
  readonly right: string;
  readonly place: Place;
  /** Other places that belong to it, with what they are to it. */
  readonly related: readonly (Place & { readonly message: string })[];
}

/** One kind of finding. What a check cannot judge (an unknown statement, a listing that shows only a part) it passes over in silence. */
export interface Check {
  readonly code: string;
  /** One sentence: what it looks for. */
  readonly summary: string;
  /** The highest severity it gives. */
  readonly severity: Severity;
  find(subject: Subject): Finding[];
}
