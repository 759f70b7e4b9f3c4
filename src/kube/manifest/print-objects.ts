import { stringify } from "yaml";
import type { KubernetesObject, List } from "../objects.js";

export const objectFormats = ["json", "yaml"] as const;
export type ObjectFormat = (typeof objectFormats)[number];

/** A List of the objects, as `kubectl -o json` and `-o yaml` print it. It reads back to equal objects. */
export function printObjects(objects: readonly KubernetesObject[], format: ObjectFormat = "json"): string {
  const list: List = { apiVersion: "v1", kind: "List", items: objects };
  return format === "json"
    ? `${JSON.stringify(list, undefined, 4)}\n`
    : stringify(list, { lineWidth: 0, aliasDuplicateObjects: false, indentSeq: false });
}
