/** What a JSON value is taken for, and the problem where it is something else. */

/** Something in the JSON that is not right. */
export class BadJson extends Error {
  constructor(
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };
export type JsonObject = { readonly [key: string]: Json };

export function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function isList(value: Json | undefined): value is readonly Json[] {
  return Array.isArray(value);
}

export function objectOf(value: Json | undefined, what: string): JsonObject {
  return isObject(value) ? value : wrong(what, "an object", value);
}

export function listOf(value: Json | undefined, what: string): readonly Json[] {
  return isList(value) ? value : wrong(what, "a list", value);
}

export function stringOf(value: Json | undefined, what: string): string {
  return typeof value === "string" ? value : wrong(what, "a string", value);
}

export function numberOf(value: Json | undefined, what: string): number {
  return typeof value === "number" && Number.isInteger(value) ? value : wrong(what, "a whole number", value);
}

/** The one key of an object and its value. */
export function entryOf(value: Json, what: string): [key: string, value: Json] {
  const entries = Object.entries(objectOf(value, what));
  const [entry] = entries;
  if (entry === undefined || entries.length > 1)
    throw new BadJson("bad-json", `${what} is an object of one key, not of ${entries.length}`);
  return entry;
}

function wrong(what: string, wanted: string, value: Json | undefined): never {
  const shown = value === undefined ? "nothing" : JSON.stringify(value).slice(0, 60);
  throw new BadJson("bad-json", `${what} is ${wanted}, not ${shown}`);
}

/** Names and values stand in a line of text: none may end it. */
export function plainWord(value: Json | undefined, what: string): string {
  const text = typeof value === "number" ? String(value) : stringOf(value, what);
  if (/[\s"{}();#$,]/.test(text) || text === "")
    throw new BadJson("bad-name", `${what} is a word, not ${JSON.stringify(text).slice(0, 60)}`);
  return text;
}

export function quoted(value: Json | undefined, what: string): string {
  const text = stringOf(value, what);
  if (/["\n]/.test(text)) throw new BadJson("bad-name", `${what} holds a quote or a line end`);
  return `"${text}"`;
}
