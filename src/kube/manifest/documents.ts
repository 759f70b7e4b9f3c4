/** Manifest texts, JSON or YAML, into plain values with their places. */
import { isNode, parseAllDocuments, type Document as YamlDocument } from "yaml";
import { error, ProblemError } from "../../ruleset/problem.js";
import type { Span } from "../../ruleset/types.js";
import { spanAt } from "../../syntax/input.js";
import type { ObjectPath } from "../object-problem.js";
import { endOfValue, offsetOf, skipBlanks } from "./json-places.js";

/** One document of a manifest: a plain value whose fields of value null are absent, as Go reads them. */
export interface ManifestDocument {
  readonly value: unknown;
  /** Where the value a path leads to stands; where there is none, the last one on the way. */
  locate(path: ObjectPath): Span;
}

/**
 * The documents of a text: one JSON value, several one after the other, or a YAML stream. Empty documents are left out.
 * Throws ProblemError with line and column where the text is neither.
 */
export function readDocuments(text: string): ManifestDocument[] {
  return /^\s*[[{]/.test(text) ? readJson(text) : readYaml(text);
}

function readJson(text: string): ManifestDocument[] {
  try {
    return [jsonDocument(text, 0, text.length)];
  } catch (failure) {
    if (!(failure instanceof SyntaxError)) throw failure;
  }
  const documents: ManifestDocument[] = [];
  for (let at = skipBlanks(text, 0); at < text.length; at = skipBlanks(text, at)) {
    if (text.startsWith("---", at)) return readYaml(text);
    const end = endOfValue(text, at);
    documents.push(jsonDocument(text, at, end));
    at = end;
  }
  return documents;
}

function jsonDocument(text: string, from: number, to: number): ManifestDocument {
  const value: unknown = JSON.parse(from === 0 && to === text.length ? text : text.slice(from, to));
  if (text.includes("null")) dropNulls(value);
  return { value, locate: (path) => spanAt(text, offsetOf(text, from, path)) };
}

/** Aliases a document may use before it is refused: manifests have none, and a few bytes of them can grow without bound. */
const MOST_ALIASES = 100;

function readYaml(text: string): ManifestDocument[] {
  const stream = parseAllDocuments(text, { prettyErrors: false });
  const documents = Array.isArray(stream) ? stream : [];
  const wrong = documents.flatMap((document) => document.errors).sort((a, b) => a.pos[0] - b.pos[0])[0];
  if (wrong !== undefined)
    throw new ProblemError(error("bad-yaml", `this is no YAML: ${wrong.message}`, spanAt(text, wrong.pos[0])));
  return documents
    .filter((document) => document.contents !== null)
    .map((document) => yamlDocument(text, document))
    .filter((document) => document.value !== null);
}

function yamlDocument(text: string, document: YamlDocument): ManifestDocument {
  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: MOST_ALIASES });
  } catch (failure) {
    const message = `this YAML cannot be read: ${(failure as Error).message}`;
    throw new ProblemError(error("bad-yaml", message, spanAt(text, document.range?.[0] ?? 0)));
  }
  dropNulls(value);
  return { value, locate: (path) => spanAt(text, yamlOffset(document, path)) };
}

function yamlOffset(document: YamlDocument, path: ObjectPath): number {
  for (let length = path.length; length >= 0; length--) {
    const node: unknown = length === 0 ? document.contents : document.getIn(path.slice(0, length), true);
    if (isNode(node) && node.range) return node.range[0];
  }
  return document.range?.[0] ?? 0;
}

/** Takes members of value null away: to Go a field of null is one that is not there. */
function dropNulls(value: unknown): void {
  if (Array.isArray(value)) for (const item of value) dropNulls(item);
  else if (typeof value === "object" && value !== null) {
    const members = value as Record<string, unknown>;
    for (const name of Object.keys(members))
      if (members[name] === null) delete members[name];
      else dropNulls(members[name]);
  }
}
