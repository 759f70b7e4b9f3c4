/**
 * Layout of the services: what was picked, written into the flat tables of services.ts. Rows and runs of backends can be put in and taken out one
 * by one; the tables then hold what a fresh layout of the same services would.
 */
import type { Choices, Picked, PickedServices } from "./pick.js";
import { Room, roomFor, widen } from "./room.js";
import {
  BackendFlag,
  MOST_BACKENDS,
  MOST_TESTS,
  type ServiceRecord,
  type ServiceTables,
  SIGN,
  type SourceTest,
} from "./services.js";
import { ServiceMap } from "./service-map.js";
import type { Backend, Specialised } from "./specialise/specialise.js";

/** The final marks of most services that pick: those of others do not fit the tables. */
export type Marks = Pick<ServiceTables, "markUnmarked" | "markMarked">;

/** Lays out services. Those that do not fit (two source tests, another mark than the rest, two kinds of masquerade) are left to the walk. */
export function layOutServices({ picked, choices }: PickedServices): ServiceLayout {
  const marks = new MarkCounts();
  for (const { service } of picked) marks.count(service, 1);
  const layout = new ServiceLayout(marks.most, choices);
  layout.grow(
    picked.length,
    picked.reduce((sum, { service }) => sum + service.backends.length, 0),
  );
  for (const one of picked) layout.put(one);
  layout.shrink();
  return layout;
}

export class ServiceLayout implements ServiceTables {
  backends = new Int32Array(0);
  bounds = new Int32Array(0);
  doubts = new Int32Array(0);
  thresholds = new Float64Array(0);
  /** Row 0 never holds: nothing equals a value outside its mask. */
  readonly sourceTests: SourceTest[] = [{ value: 1, mask: 0, negate: false }];
  readonly markUnmarked: number;
  readonly markMarked: number;
  /** Some service did not fit for lack of room: which one depends on their order. */
  crowded = false;
  private readonly services = new ServiceMap();
  private readonly room = new Room();
  private replaced = 0;
  /** Choices taken over, in elements of `bounds`. */
  private taken = 0;

  constructor(
    marks: Marks,
    private readonly choices: Choices,
  ) {
    this.markUnmarked = marks.markUnmarked;
    this.markMarked = marks.markMarked;
    this.takeChoices();
  }

  get map(): Int32Array {
    return this.services.map;
  }
  get seeds(): Uint16Array {
    return this.services.seeds;
  }
  get slotShift(): number {
    return this.services.slotShift;
  }
  get cold(): ServiceTables["cold"] {
    return this.services.cold;
  }
  /** Services in the map. */
  get size(): number {
    return this.services.size;
  }
  /** Counts the times an array was replaced: whoever holds arrays must fetch them anew. */
  get generation(): number {
    return this.replaced + this.services.generation;
  }

  /** Makes room for so many services with so many backends in all. */
  grow(services: number, backends: number): void {
    this.services.grow(services);
    if (2 * backends <= this.backends.length) return;
    this.backends = widen(this.backends, 2 * (this.backends.length === 0 ? backends : roomFor(backends)));
    this.replaced++;
  }

  /** Gives up slots that so few services do not need. */
  shrink(): void {
    this.services.shrink();
  }

  /** Puts a service in, whose destination must not be there; false where it does not fit. */
  put({ service, choice }: Picked): boolean {
    if (!this.fits(service)) return false;
    const test = this.testNumber(service.tests[0]);
    if (test < 0) {
      this.crowded = true;
      return false;
    }
    const { record, backends } = service;
    const first = backends.length === 0 ? 0 : this.room.take(backends.length);
    this.grow(this.size + 1, this.room.end);
    this.takeChoices();
    const words = [record.address | 0, keyOf(record) | (test << 24), first, backends.length | (choice << 16)];
    if (!this.services.put(words, record)) {
      this.crowded = true;
      this.room.give(first, backends.length);
      return false;
    }
    backends.forEach((backend, k) => {
      this.backends[2 * (first + k)] = backend.address;
      this.backends[2 * (first + k) + 1] = backend.port | (flagsOf(backend) << 16);
    });
    return true;
  }

  /** Takes out the service of a destination, if it is there: its backends' room is free then. */
  remove(destination: Pick<ServiceRecord, "address" | "protocol" | "port">): void {
    const row = this.services.find(destination.address | 0, keyOf(destination));
    if (row < 0) return;
    this.room.give(this.map[row + 2]!, this.map[row + 3]! & 0xffff);
    this.services.remove(row);
  }

  /** Takes over choices that came since the last time. */
  private takeChoices(): void {
    const { bounds, doubts, thresholds } = this.choices;
    if (bounds.length > this.bounds.length) {
      const room = this.bounds.length === 0 ? bounds.length : roomFor(bounds.length);
      this.bounds = widen(this.bounds, room);
      this.doubts = widen(this.doubts, room);
      this.thresholds = widen(this.thresholds, room);
      this.replaced++;
    }
    for (; this.taken < bounds.length; this.taken++) {
      this.bounds[this.taken] = bounds[this.taken]! ^ SIGN;
      this.doubts[this.taken] = doubts[this.taken]!;
      this.thresholds[this.taken] = thresholds[this.taken]!;
    }
  }

  private fits({ backends, tests, markUnmarked, markMarked }: Specialised): boolean {
    if (markUnmarked !== this.markUnmarked) return false;
    if (backends.length === 0) return true;
    const marked = tests.length > 0 || backends.some((backend) => backend.hairpin);
    if (marked && markMarked !== this.markMarked) return false;
    if (tests.length > 1 || backends.length > MOST_BACKENDS) return false;
    return backends.every(
      ({ marked, unmarked }) =>
        !marked.masquerade || !unmarked.masquerade || marked.fullyRandom === unmarked.fullyRandom,
    );
  }

  /** The number of a source test, 0 for none; -1 where there is no room for it. */
  private testNumber(test: SourceTest | undefined): number {
    if (test === undefined) return 0;
    const { value, mask, negate } = test;
    const { sourceTests } = this;
    const known = sourceTests.findIndex((one) => one.value === value && one.mask === mask && one.negate === negate);
    if (known >= 0) return known;
    if (sourceTests.length > MOST_TESTS) return -1;
    this.replaced++;
    return sourceTests.push({ value, mask, negate }) - 1;
  }
}

const keyOf = ({ protocol, port }: Pick<ServiceRecord, "protocol" | "port">): number => (protocol << 16) | port;

/** The final marks of services, counted: those of most that pick by a source test are the common ones; kube-proxy's are the same for all. */
export class MarkCounts {
  private readonly marking = new Map<string, number>();
  private readonly others = new Map<string, number>();

  /** Counts a service, or (by -1) no longer. */
  count({ markUnmarked, markMarked, backends, tests }: Specialised, by: 1 | -1): void {
    const counts = backends.length > 0 && tests.length > 0 ? this.marking : this.others;
    const key = `${markUnmarked} ${markMarked}`;
    const count = (counts.get(key) ?? 0) + by;
    if (count === 0) counts.delete(key);
    else counts.set(key, count);
  }

  /** Of equally many the smallest. */
  get most(): Marks {
    const counts = this.marking.size > 0 ? this.marking : this.others;
    const [most] = [...counts]
      .map(([key, count]) => ({ marks: key.split(" ").map(Number), count }))
      .sort((a, b) => b.count - a.count || a.marks[0]! - b.marks[0]! || a.marks[1]! - b.marks[1]!);
    return { markUnmarked: most?.marks[0] ?? 0, markMarked: most?.marks[1] ?? 0 };
  }
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
