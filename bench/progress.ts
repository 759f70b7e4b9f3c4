/** Columns that a progress line may take on a terminal of unknown width. */
const WIDTH = 80;

/** Shows progress: one line that is written over on a terminal, a line each elsewhere. */
export function showProgress(stream: NodeJS.WriteStream): { show(line: string): void; clear(): void } {
  if (!stream.isTTY) return { show: (line) => stream.write(`${line}\n`), clear: () => {} };
  const width = () => (stream.columns ?? WIDTH) - 1;
  return {
    show: (line) => stream.write(`\r${line.slice(0, width()).padEnd(width())}`),
    clear: () => stream.write(`\r${" ".repeat(width())}\r`),
  };
}
