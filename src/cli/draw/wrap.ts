/** Widest line of what commands draw. */
export const WIDTH = 100;

/** Breaks a text at blanks into lines of at most `width` characters; a longer word stands alone. */
export function wrap(text: string, width: number): string[] {
  return fill(text.split(" "), width);
}

/** An option of a rule with its `!` and its values, which may be quoted and then hold blanks. */
const OPTION = /(?:! )?-(?:"(?:\\.|[^"\\])*"|[^"])*?(?= (?:! )?-|$)/gs;

/** The same for the text of a rule: an option stays with its values, unless it is longer than a line. */
export function wrapRule(text: string, width: number): string[] {
  const options = text.match(OPTION) ?? [];
  if (options.join(" ") !== text) return wrap(text, width);
  return fill(
    options.flatMap((option) => (option.length > width ? option.split(" ") : option)),
    width,
  );
}

function fill(words: readonly string[], width: number): string[] {
  const lines: string[] = [];
  let line: string | undefined;
  for (const word of words) {
    if (line !== undefined && line.length + 1 + word.length <= width) line += ` ${word}`;
    else {
      if (line !== undefined) lines.push(line);
      line = word;
    }
  }
  return line === undefined ? lines : [...lines, line];
}
