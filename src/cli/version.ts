import { readFileSync } from "node:fs";

/** Of the package this file belongs to: it lies two folders up in the sources, three where it is built. */
export function version(): string {
  for (const up of ["../../", "../../../"]) {
    try {
      const found = JSON.parse(readFileSync(new URL(`${up}package.json`, import.meta.url), "utf8")) as {
        name?: string;
        version: string;
      };
      if (found.name === "chainwalk") return found.version;
    } catch {
      continue;
    }
  }
  throw new Error("package.json is not where it belongs");
}
