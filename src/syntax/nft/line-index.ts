import type { Span } from "../../ruleset/types.js";

/** Line and column of offsets that mostly ascend: counting goes on from the last one. */
export class LineIndex {
  private line = 1;
  private start = 0;

  constructor(private readonly text: string) {}

  spanAt(offset: number): Span {
    if (offset < this.start) {
      this.line = 1;
      this.start = 0;
    }
    for (;;) {
      const end = this.text.indexOf("\n", this.start);
      if (end < 0 || end >= offset) return { line: this.line, column: offset - this.start + 1 };
      this.line++;
      this.start = end + 1;
    }
  }
}
