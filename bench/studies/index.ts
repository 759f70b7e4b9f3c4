import { lookup } from "./lookup.js";
import type { Study } from "./study.js";

/** All studies by name; the first is what runs when none is asked for. */
export const studies: ReadonlyMap<string, Study> = new Map([lookup].map((study) => [study.name, study]));
