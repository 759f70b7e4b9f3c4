/** Widest line of what commands draw. */
export const WIDTH = 100;

/** Breaks a text at blanks into lines of at most `width` characters; a longer word stands alone. */
export function wrap(text: string, width: number): string[] {
  return fill(text.split(" "), width);
}

/** The same for the text of a rule, broken before options only: an option stays with its values and its `!`. */
export function wrapRule(text: string, width: number): string[] {
  return fill(text.match(/(?:! )?-(?:"(?:\\.|[^"\\])*"|[^"])*?(?= (?:! )?-|$)/gs) ?? [text], width);
}

function fill(words: readonly string[], width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of words) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line];
}
