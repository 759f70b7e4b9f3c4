import { error, type Problem, ProblemError, warning } from "../../ruleset/problem.js";
import type { Span } from "../../ruleset/types.js";
import { decodeInput } from "../../syntax/input.js";
import { formatPath, type ObjectPath, type ObjectProblem } from "../object-problem.js";
import type { KubernetesObject } from "../objects.js";
import { type ManifestDocument, readDocuments } from "./documents.js";
import { describeValue, mismatches, objectSchemas } from "./schemas.js";

/** What a manifest holds. */
export interface ReadObjects {
  readonly objects: readonly KubernetesObject[];
  /** Where one is an error, the objects must not be used. */
  readonly problems: readonly Problem[];
  /** A problem of one of these objects, with its line and column. */
  place(found: ObjectProblem): Problem;
  /** The text as decoded, for showing problems; absent where the input was no text. */
  readonly text?: string;
}

type Kind = keyof typeof objectSchemas;

/** The versions of the API each kind is read in. */
const groups: Readonly<Record<Kind, RegExp>> = {
  Service: /^v1$/,
  EndpointSlice: /^discovery\.k8s\.io\/v1$/,
  ServiceCIDR: /^networking\.k8s\.io\/v1(beta1|alpha1)?$/,
};

interface Place {
  readonly document: ManifestDocument;
  readonly path: ObjectPath;
}

/**
 * Reads Services, EndpointSlices and ServiceCIDRs from JSON or YAML, gzipped or not: Lists, or several documents, as
 * `kubectl get services,endpointslices -A -o yaml` prints them. Objects of other kinds are left out with a warning, unknown fields are
 * ignored; every wrong field is an error with its path, line and column. Nothing is thrown for bad input: see `problems`.
 */
export function readObjects(input: Uint8Array | string): ReadObjects {
  const decoded = decodeInput(input);
  if ("problem" in decoded) return { objects: [], problems: [decoded.problem], place: ({ problem }) => problem };
  const { text } = decoded;
  const reader = new ManifestReader();
  try {
    reader.read(readDocuments(text), text);
  } catch (failure) {
    if (!(failure instanceof ProblemError)) throw failure;
    reader.problems.push(...failure.problems);
  }
  return { objects: reader.objects, problems: reader.problems, place: (found) => reader.place(found), text };
}

/** Wrong values named before the rest is left: one mistake in a program makes thousands. */
const MOST_ERRORS = 100;

class ManifestReader {
  readonly objects: KubernetesObject[] = [];
  readonly problems: Problem[] = [];
  private readonly places = new Map<KubernetesObject, Place>();
  private readonly others = new Map<string, { count: number; span: Span }>();
  private errors = 0;

  read(documents: readonly ManifestDocument[], text: string): void {
    if (documents.length === 0) {
      const message = `${text.trim() === "" ? "the input is empty" : "the input holds no object"}: a List of Services and EndpointSlices is expected, in JSON or YAML`;
      throw new ProblemError(error("empty-input", message, { line: 1, column: 1 }));
    }
    for (const document of documents) this.readAny(document, document.value, []);
    for (const [kind, { count, span }] of this.others)
      this.problems.push(
        warning(
          "other-kind",
          `${count === 1 ? "an object" : `${count} objects`} of kind ${kind} left out: ${whyNot(kind)}`,
          span,
        ),
      );
    if (this.errors === 0 && !this.objects.some((object) => object.kind === "Service"))
      this.problems.push(
        warning("no-services", "there is no Service: only the rules that are always there", { line: 1, column: 1 }),
      );
  }

  place({ problem, object, path }: ObjectProblem): Problem {
    const place = this.places.get(object);
    return place === undefined ? problem : { ...problem, span: place.document.locate([...place.path, ...path]) };
  }

  private readAny(document: ManifestDocument, value: unknown, path: ObjectPath): void {
    const fields = value as { kind?: unknown; apiVersion?: unknown; items?: unknown } | undefined;
    if (typeof value !== "object" || value === null || Array.isArray(value))
      return this.complain(
        document,
        path,
        `expected an object with apiVersion and kind, found ${describeValue(value, [])}`,
      );
    const kind = fields!.kind;
    if (typeof kind !== "string" || kind === "")
      return this.complain(
        document,
        [...path, "kind"],
        `expected the kind of an object, found ${describeValue(kind, [])}`,
      );
    if (Array.isArray(fields!.items) || kind === "List") {
      const { items } = fields!;
      if (items !== undefined && !Array.isArray(items))
        return this.complain(document, [...path, "items"], `expected a list, found ${describeValue(items, [])}`);
      (items ?? []).forEach((item, i) => this.readAny(document, item, [...path, "items", i]));
    } else this.readObject(document, value as KubernetesObject, path, kind);
  }

  private readObject(document: ManifestDocument, value: KubernetesObject, path: ObjectPath, kind: string): void {
    const known = Object.hasOwn(groups, kind) ? groups[kind as Kind] : undefined;
    const version: string | undefined = typeof value.apiVersion === "string" ? value.apiVersion : undefined;
    if (known !== undefined && version?.startsWith("discovery.k8s.io/v1beta") === true) {
      const message = `EndpointSlices of ${version} are not read: ask for discovery.k8s.io/v1 (kubectl get endpointslices.v1.discovery.k8s.io)`;
      return this.complain(document, [...path, "apiVersion"], message);
    }
    if (known === undefined || (version !== undefined && !known.test(version)))
      return this.leaveOut(document, path, version === undefined ? kind : `${kind} (${version})`);
    for (const { path: inside, expected } of mismatches(objectSchemas[kind as Kind], value))
      this.complain(document, [...path, ...inside], `expected ${expected}, found ${describeValue(value, inside)}`);
    this.objects.push(value);
    this.places.set(value, { document, path });
  }

  private leaveOut(document: ManifestDocument, path: ObjectPath, kind: string): void {
    const known = this.others.get(kind);
    if (known === undefined) this.others.set(kind, { count: 1, span: document.locate(path) });
    else known.count++;
  }

  private complain(document: ManifestDocument, path: ObjectPath, message: string): void {
    const where = path.length === 0 ? "" : `${formatPath(path)}: `;
    this.problems.push(error("bad-object", `${where}${message}`, document.locate(path)));
    if (++this.errors >= MOST_ERRORS)
      throw new ProblemError(error("too-many-errors", "there are more wrong values after this"));
  }
}

function whyNot(kind: string): string {
  return kind.startsWith("Endpoints ") || kind === "Endpoints"
    ? "kube-proxy reads EndpointSlices instead"
    : "kube-proxy writes no rules from it";
}
