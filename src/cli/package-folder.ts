import { readFileSync } from "node:fs";

/** The package this file belongs to: its folder lies two folders up in the sources, three where it is built. */
export function findPackage(): { folder: URL; version: string } {
  for (const up of ["../../", "../../../"]) {
    const folder = new URL(up, import.meta.url);
    try {
      const found = JSON.parse(readFileSync(new URL("package.json", folder), "utf8")) as {
        name?: string;
        version: string;
      };
      if (found.name === "chainwalk") return { folder, version: found.version };
    } catch {
      continue;
    }
  }
  throw new Error("package.json is not where it belongs");
}
