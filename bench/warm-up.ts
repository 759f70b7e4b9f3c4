import { type BatchTask, consume } from "./task.js";

/** A window of batches lasts this long at least, and holds this many batches. */
const WINDOW_MILLISECONDS = 4;
const WINDOW_BATCHES = 3;
/** So many windows in a row whose quickest batch is this close to the quickest ever, and the times have settled. */
const SETTLED_WINDOWS = 4;
const CLOSE = 1.05;
/** Longest time to wait for that, as a multiple of the time that will be measured. */
const PATIENCE = 3;

/**
 * Does batches until their times have settled: code that is still being compiled gets quicker from window to window. The quickest batch of a window
 * is looked at, because others on the machine only ever make batches slower.
 */
export function warmUp(task: BatchTask, milliseconds: number): { milliseconds: number; settled: boolean } {
  const from = performance.now();
  let best = Infinity;
  let close = 0;
  while (close < SETTLED_WINDOWS) {
    if (performance.now() - from > milliseconds * PATIENCE)
      return { milliseconds: round(performance.now() - from), settled: false };
    const quickest = quickestOfWindow(task);
    close = quickest <= best * CLOSE && best <= quickest * CLOSE ? close + 1 : 0;
    best = Math.min(best, quickest);
  }
  return { milliseconds: round(performance.now() - from), settled: true };
}

/** This share of a pass goes by untimed, as in the C programs: others have been at work, and what they left in the caches goes first. */
const UNTIMED = 0.35;

/** Does batches before a pass of so many milliseconds; the code is compiled, only the caches are not warm. */
export function warmAgain({ run, prepare }: BatchTask, milliseconds: number): void {
  const until = performance.now() + UNTIMED * milliseconds;
  while (performance.now() < until) {
    prepare?.();
    consume(run);
  }
}

function quickestOfWindow({ run, prepare }: BatchTask): number {
  let quickest = Infinity;
  const from = performance.now();
  for (let batch = 0; batch < WINDOW_BATCHES || performance.now() - from < WINDOW_MILLISECONDS; batch++) {
    prepare?.();
    const began = performance.now();
    consume(run);
    quickest = Math.min(quickest, performance.now() - began);
  }
  return quickest;
}

function round(milliseconds: number): number {
  return Math.round(milliseconds * 10) / 10;
}
