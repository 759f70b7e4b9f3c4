/** Writes the fused services into the flat tables of services.ts. */
import type { Backend, Service } from "./fuse.js";
import {
  BackendFlag,
  findService,
  LAST_PICK_OFFSET,
  MOST_BACKENDS,
  MOST_TESTS,
  pickBounds,
  SERVICE_WORDS,
  SIGN,
  type ServiceRecord,
  type ServiceTables,
  type SourceTest,
} from "./services.js";

/** Services that do not fit (two source tests, another mark than the rest, two kinds of masquerade) are left to the walk. */
export function tabulate(all: readonly Service[]): ServiceTables {
  const marks = commonMarks(all);
  const picks = new Picks();
  const tests = new SourceTests();
  const services = all.filter(
    (service) => fits(service, marks) && tests.take(service.tests[0]) && picks.take(service.thresholds),
  );
  let slots = 16;
  while (slots < services.length * 2) slots *= 2;
  const map = new Int32Array(slots * SERVICE_WORDS);
  const backends = new Int32Array(2 * services.reduce((sum, service) => sum + service.backends.length, 0));
  const cold: ServiceRecord[] = [];
  const coldRows = new Int32Array(slots);
  let first = 0;
  for (const service of services) {
    const { address, port, protocol } = service.record;
    const row = findService(map, slots - 1, address, (protocol << 16) | port);
    map[row] = address;
    map[row + 1] = (protocol << 16) | port | (tests.number(service.tests[0]) << 24);
    map[row + 2] = first;
    map[row + 3] = service.backends.length | (picks.offset(service.thresholds) << 16);
    coldRows[row / SERVICE_WORDS] = cold.push(service.record) - 1;
    for (const backend of service.backends) {
      backends[2 * first] = backend.address;
      backends[2 * first + 1] = backend.port | (flagsOf(backend) << 16);
      first++;
    }
  }
  return {
    map,
    slotMask: slots - 1,
    backends,
    bounds: Int32Array.from(picks.bounds, (bound) => bound ^ SIGN),
    thresholds: Float64Array.from(picks.thresholds),
    sourceTests: tests.rows,
    ...marks,
    cold,
    coldRows,
  };
}

type Marks = Pick<ServiceTables, "markUnmarked" | "markMarked">;

/** The final marks of the first service that picks; kube-proxy's are the same for all. */
function commonMarks(services: readonly Service[]): Marks {
  const service = services.find(({ backends, tests }) => backends.length > 0 && tests.length > 0) ?? services[0];
  return { markUnmarked: service?.markUnmarked ?? 0, markMarked: service?.markMarked ?? 0 };
}

function fits(service: Service, marks: Marks): boolean {
  const { backends, tests } = service;
  if (service.markUnmarked !== marks.markUnmarked) return false;
  if (backends.length === 0) return true;
  const marked = tests.length > 0 || backends.some((backend) => backend.hairpin);
  if (marked && service.markMarked !== marks.markMarked) return false;
  if (tests.length > 1 || backends.length > MOST_BACKENDS) return false;
  return backends.every(
    ({ marked, unmarked }) => !marked.masquerade || !unmarked.masquerade || marked.fullyRandom === unmarked.fullyRandom,
  );
}

function flagsOf({ hairpin, unmarked, marked }: Backend): number {
  return (
    (unmarked.masquerade ? BackendFlag.masqueradeUnmarked : 0) |
    (marked.masquerade ? BackendFlag.masqueradeMarked : 0) |
    (unmarked.fullyRandom || marked.fullyRandom ? BackendFlag.fullyRandom : 0) |
    (unmarked.local ? BackendFlag.local : 0) |
    (hairpin ? BackendFlag.hairpin : 0)
  );
}

/** Bounds and thresholds of picks; services with the same thresholds share them. */
class Picks {
  readonly bounds: number[] = [];
  readonly thresholds: number[] = [];
  private readonly offsets = new Map<string, number>();

  /** Makes room for a pick; false where there is none left. */
  take(thresholds: readonly number[]): boolean {
    const key = thresholds.join();
    if (this.offsets.has(key)) return true;
    if (this.bounds.length > LAST_PICK_OFFSET) return false;
    this.offsets.set(key, this.bounds.length);
    this.bounds.push(...pickBounds(thresholds));
    this.thresholds.push(...thresholds);
    return true;
  }

  /** Where a pick that was taken stands. */
  offset(thresholds: readonly number[]): number {
    return this.offsets.get(thresholds.join())!;
  }
}

class SourceTests {
  /** Row 0 never holds: nothing equals a value outside its mask. */
  readonly rows: SourceTest[] = [{ value: 1, mask: 0, negate: false }];

  /** Makes room for a test; false where there is none left. */
  take(test: SourceTest | undefined): boolean {
    if (this.number(test) >= 0) return true;
    return this.rows.length <= MOST_TESTS && this.rows.push(test!) > 0;
  }

  /** The number of a test that was taken; 0 for none. */
  number(test: SourceTest | undefined): number {
    if (test === undefined) return 0;
    const { value, mask, negate } = test;
    return this.rows.findIndex((known) => known.value === value && known.mask === mask && known.negate === negate);
  }
}
