/**
 * An nft listing by its blocks, `ip kube-proxy chain services` -> lines: elements of sets and maps in alphabetical order, and without the
 * comments of sets, maps and chains, as tools/compare.py of the conformance material compares them.
 */
export function canonicalBlocks(listing: string): Map<string, string[]> {
  const blocks = new Map<string, string[]>();
  let table = "";
  let block: string[] | undefined;
  let pending: string[] = [];
  let open = 0;
  for (const raw of listing.split("\n")) {
    const bare = raw.replaceAll(/"[^"]*"/g, '""');
    open += count(bare, "{") - count(bare, "}");
    if (pending.length > 0 || /^\s*elements = \{/.test(raw)) {
      pending.push(raw.trim());
      if (open > INSIDE_BLOCK) continue;
    }
    const line = pending.length > 0 ? pending.join(" ") : raw.trim();
    pending = [];
    const [, kind, name] = /^(table|chain|set|map) (.+) \{$/.exec(line) ?? [];
    if (kind === "table") table = name!;
    else if (kind !== undefined) blocks.set(`${table} ${kind} ${name}`, (block = []));
    else if (line === "}") block = undefined;
    else if (line.startsWith("elements = {")) block!.push(...elementsOf(line).toSorted());
    else if (line !== "" && !line.startsWith('comment "') && !line.startsWith("#"))
      block?.push(line.replaceAll(/\s+/g, " "));
  }
  return blocks;
}

/** Braces that are open around a line of a block: the table's and the block's. */
const INSIDE_BLOCK = 2;

function count(text: string, character: string): number {
  return text.split(character).length - 1;
}

/** No comma stands in the quotes of these comments. */
function elementsOf(line: string): string[] {
  return line
    .slice("elements = {".length, line.lastIndexOf("}"))
    .split(",")
    .map((element) => element.trim().replaceAll(/\s+/g, " "));
}
