/** Results by number: what becomes of a packet, each kind once, so that diagrams can end in it. */
import { type DiagramNode, resultOf, terminalOf } from "./diagrams.js";

export class Results<T> {
  private readonly numbers = new Map<string, number>();
  private readonly all: T[] = [];

  /** The terminal of a result; results that are equal as JSON are the same. */
  terminal(result: T): DiagramNode {
    const key = JSON.stringify(result);
    let number = this.numbers.get(key);
    if (number === undefined) this.numbers.set(key, (number = this.all.push(result) - 1));
    return terminalOf(number);
  }

  /** The result of a terminal that `terminal` gave. */
  at(terminal: DiagramNode): T {
    return this.all[resultOf(terminal)]!;
  }

  get size(): number {
    return this.all.length;
  }
}
