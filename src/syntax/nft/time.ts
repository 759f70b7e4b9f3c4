/** Times as nft writes them (time_parse and time_print, src/datatype.c): `1d2h3m4s5ms`, or seconds alone. */
import type { Lexer } from "./lexer.js";

const units: readonly (readonly [string, number])[] = [
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["m", 60_000],
  ["s", 1000],
  ["ms", 1],
];

/** Milliseconds. */
export function readTime(lexer: Lexer): number {
  const { start } = lexer;
  const text = lexer.take("a time such as 1h30m");
  const value = parseTime(text);
  if (value === undefined) lexer.fail("bad-time", `"${text}" is no time: write one such as 30s or 1h30m`, start);
  return value;
}

export function parseTime(text: string): number | undefined {
  if (/^\d{1,12}$/.test(text)) return Number(text) * 1000;
  const parts = /^(?:(\d{1,9})d)?(?:(\d{1,9})h)?(?:(\d{1,9})m(?!s))?(?:(\d{1,9})s)?(?:(\d{1,9})ms)?$/.exec(text);
  if (parts === null || text === "") return undefined;
  return units.reduce((sum, [, size], i) => sum + Number(parts[i + 1] ?? 0) * size, 0);
}

export function formatTime(milliseconds: number): string {
  let rest = milliseconds;
  let text = "";
  for (const [name, size] of units) {
    const count = Math.floor(rest / size);
    rest -= count * size;
    if (count > 0) text += `${count}${name}`;
  }
  return text === "" ? "0s" : text;
}
