import { findPackage } from "./package-folder.js";

/** Of the package this file belongs to. */
export function version(): string {
  return findPackage().version;
}
