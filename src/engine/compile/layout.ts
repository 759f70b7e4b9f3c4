/**
 * Layout of the services: what was picked, written into the flat tables of services.ts. Rows and runs of backends can be put in and taken out one
 * by one; the tables then hold what a fresh layout of the same services would.
 */
import type { Choices, Picked, PickedServices } from "./pick.js";
import { Room, roomFor, widen } from "./room.js";
import {
  BackendFlag,
  findService,
  KEY_MASK,
  MOST_BACKENDS,
  MOST_TESTS,
  SERVICE_WORDS,
  serviceHash,
  type ServiceRecord,
  type ServiceTables,
  SIGN,
  type SourceTest,
} from "./services.js";
import type { Backend, Specialised } from "./specialise/specialise.js";

/** The final marks of most services that pick: those of others do not fit the tables. */
export type Marks = Pick<ServiceTables, "markUnmarked" | "markMarked">;

const LEAST_SLOTS = 16;

/** The slots of a map of so many services: at most half of them are taken. */
export function slotsFor(services: number): number {
  let slots = LEAST_SLOTS;
  while (slots < services * 2) slots *= 2;
  return slots;
}

/** Lays out services. Those that do not fit (two source tests, another mark than the rest, two kinds of masquerade) are left to the walk. */
export function layOutServices({ picked, choices }: PickedServices): ServiceLayout {
  const layout = new ServiceLayout(commonMarks(picked), choices);
  layout.grow(
    picked.length,
    picked.reduce((sum, { service }) => sum + service.backends.length, 0),
  );
  for (const one of picked) layout.put(one);
  layout.shrink();
  return layout;
}

export class ServiceLayout implements ServiceTables {
  map = new Int32Array(LEAST_SLOTS * SERVICE_WORDS);
  backends = new Int32Array(0);
  bounds = new Int32Array(0);
  thresholds = new Float64Array(0);
  /** Row 0 never holds: nothing equals a value outside its mask. */
  readonly sourceTests: SourceTest[] = [{ value: 1, mask: 0, negate: false }];
  readonly markUnmarked: number;
  readonly markMarked: number;
  cold: (ServiceRecord | undefined)[] = [];
  /** Services in the map. */
  size = 0;
  /** Some service did not fit for lack of room: which one depends on their order. */
  crowded = false;
  /** Counts the times an array was replaced: whoever holds arrays must fetch them anew. */
  generation = 0;
  private readonly room = new Room();

  constructor(
    marks: Marks,
    private readonly choices: Choices,
  ) {
    this.markUnmarked = marks.markUnmarked;
    this.markMarked = marks.markMarked;
    this.takeChoices();
  }

  get slotMask(): number {
    return this.map.length / SERVICE_WORDS - 1;
  }

  /** Makes room for so many services with so many backends in all. */
  grow(services: number, backends: number): void {
    if (slotsFor(services) > this.slotMask + 1) this.rehash(slotsFor(services));
    if (2 * backends > this.backends.length) {
      this.backends = widen(this.backends, 2 * (this.backends.length === 0 ? backends : roomFor(backends)));
      this.generation++;
    }
  }

  /** Gives up slots that so few services do not need. */
  shrink(): void {
    if (slotsFor(this.size) <= this.slotMask) this.rehash(slotsFor(this.size));
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
    const row = findService(this.map, this.slotMask, record.address | 0, keyOf(record));
    this.map[row] = record.address;
    this.map[row + 1] = keyOf(record) | (test << 24);
    this.map[row + 2] = first;
    this.map[row + 3] = backends.length | (choice << 16);
    this.cold[row / SERVICE_WORDS] = record;
    backends.forEach((backend, k) => {
      this.backends[2 * (first + k)] = backend.address;
      this.backends[2 * (first + k) + 1] = backend.port | (flagsOf(backend) << 16);
    });
    this.size++;
    return true;
  }

  /** Takes out the service of a destination, if it is there: the rows behind its slot close up. */
  remove(destination: Pick<ServiceRecord, "address" | "protocol" | "port">): void {
    const { map, cold, slotMask } = this;
    const row = findService(map, slotMask, destination.address | 0, keyOf(destination));
    if (map[row + 1] === 0) return;
    this.room.give(map[row + 2]!, map[row + 3]! & 0xffff);
    let gap = row / SERVICE_WORDS;
    for (let slot = (gap + 1) & slotMask; map[slot * SERVICE_WORDS + 1] !== 0; slot = (slot + 1) & slotMask) {
      const at = slot * SERVICE_WORDS;
      const home = serviceHash(map[at]!, map[at + 1]! & KEY_MASK) & slotMask;
      if (((slot - home) & slotMask) < ((slot - gap) & slotMask)) continue;
      map.copyWithin(gap * SERVICE_WORDS, at, at + SERVICE_WORDS);
      cold[gap] = cold[slot];
      gap = slot;
    }
    map.fill(0, gap * SERVICE_WORDS, (gap + 1) * SERVICE_WORDS);
    cold[gap] = undefined;
    this.size--;
    this.shrink();
  }

  private rehash(slots: number): void {
    const { map, cold } = this;
    this.map = new Int32Array(slots * SERVICE_WORDS);
    this.cold = Array.from({ length: slots }, () => undefined);
    for (let at = 0; at < map.length; at += SERVICE_WORDS) {
      if (map[at + 1] === 0) continue;
      const row = findService(this.map, this.slotMask, map[at]!, map[at + 1]! & KEY_MASK);
      this.map.set(map.subarray(at, at + SERVICE_WORDS), row);
      this.cold[row / SERVICE_WORDS] = cold[at / SERVICE_WORDS];
    }
    this.generation++;
  }

  /** Choices that came since the last time. */
  private takeChoices(): void {
    const { bounds, thresholds } = this.choices;
    if (bounds.length === this.bounds.length) return;
    this.bounds = Int32Array.from(bounds, (bound) => bound ^ SIGN);
    this.thresholds = Float64Array.from(thresholds);
    this.generation++;
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
    this.generation++;
    return sourceTests.push({ value, mask, negate }) - 1;
  }
}

const keyOf = ({ protocol, port }: Pick<ServiceRecord, "protocol" | "port">): number => (protocol << 16) | port;

/** The final marks of most services that pick by a source test; kube-proxy's are the same for all. Of equally many the smallest. */
export function commonMarks(picked: readonly Picked[]): Marks {
  const services = picked.map(({ service }) => service);
  const marking = services.filter(({ backends, tests }) => backends.length > 0 && tests.length > 0);
  const counts = new Map<string, Marks & { count: number }>();
  for (const { markUnmarked, markMarked } of marking.length > 0 ? marking : services) {
    const key = `${markUnmarked} ${markMarked}`;
    const known = counts.get(key);
    if (known === undefined) counts.set(key, { markUnmarked, markMarked, count: 1 });
    else known.count++;
  }
  const [most] = [...counts.values()].sort(
    (a, b) => b.count - a.count || a.markUnmarked - b.markUnmarked || a.markMarked - b.markMarked,
  );
  return { markUnmarked: most?.markUnmarked ?? 0, markMarked: most?.markMarked ?? 0 };
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
