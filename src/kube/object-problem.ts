import { error, type Problem, ProblemError, warning } from "../ruleset/problem.js";
import type { KubernetesObject } from "./objects.js";

/** Field names, and indexes of lists from 0. */
export type ObjectPath = readonly (string | number)[];

/** Something wrong with a value of an object. With a warning kube-proxy goes on without it; an error it could not survive. */
export interface ObjectProblem {
  /** Its message names the object and the path. */
  readonly problem: Problem;
  readonly object: KubernetesObject;
  readonly path: ObjectPath;
}

export type Report = (found: ObjectProblem) => void;

/** Throws the first error as ProblemError and lets warnings pass. */
export function throwErrors({ problem }: ObjectProblem): void {
  if (problem.severity === "error") throw new ProblemError(problem);
}

/** Says what is wrong with one object. */
export class ObjectCritic {
  constructor(
    private readonly object: KubernetesObject,
    private readonly report: Report,
  ) {}

  error(code: string, path: ObjectPath, message: string): void {
    this.report({ problem: error(code, this.describe(path, message)), object: this.object, path });
  }

  warn(code: string, path: ObjectPath, message: string): void {
    this.report({ problem: warning(code, this.describe(path, message)), object: this.object, path });
  }

  private describe(path: ObjectPath, message: string): string {
    const where = path.length === 0 ? "" : `${formatPath(path)}: `;
    return `${objectTitle(this.object)}: ${where}${message}`;
  }
}

/** `Service ns/name`. */
export function objectTitle({ kind, metadata }: KubernetesObject): string {
  return kind === "ServiceCIDR" ? `${kind} ${metadata.name}` : `${kind} ${namespaceOf(metadata)}/${metadata.name}`;
}

export function namespaceOf(metadata: KubernetesObject["metadata"]): string {
  return metadata.namespace === undefined || metadata.namespace === "" ? "default" : metadata.namespace;
}

/** `spec.ports[0].port`; keys that are no plain words stand in brackets: `labels["a/b"]`. */
export function formatPath(path: ObjectPath): string {
  let text = "";
  for (const step of path) {
    if (typeof step === "number") text += `[${step}]`;
    else if (/^[A-Za-z_]\w*$/.test(step)) text += text === "" ? step : `.${step}`;
    else text += `[${JSON.stringify(step)}]`;
  }
  return text;
}
