import type { TopLevelSpec } from "vega-lite";
import { escapeHtml, printable } from "./escape.js";

/**
 * Draws a plot without a browser; the same specification gives the same bytes. `facts` are written into the picture's metadata.
 * vega is loaded here and not before: it takes a third of a second.
 */
export async function renderSvg(spec: TopLevelSpec, facts: readonly (readonly [string, string])[]): Promise<string> {
  const [vega, { compile }] = await Promise.all([import("vega"), import("vega-lite")]);
  const view = new vega.View(vega.parse(compile(spec).spec), { renderer: "none" });
  const svg = printable(await view.toSVG());
  view.finalize();
  const description = facts.map(([name, value]) => `${name}: ${value}`).join("\n");
  return svg.replace(/(<svg[^>]*>)/, (tag) => `${tag}<metadata>${escapeHtml(description)}</metadata>`);
}
