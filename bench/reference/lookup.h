/* A service map with open addressing (bench/rivals/open-addressing.ts), the pick and the backends of src/engine/compile/services.ts: what lookup.c measures alone, and conntrack.c uses for the
 * first packet of a connection. Include after common.h.
 */
enum { SERVICE_WORDS = 4, KEY_MASK = 0xffffff };

/* The tables of one rule set. Functions take them by value: a compiler that has inlined them then knows that nothing written changes them. */
typedef struct {
  const int32_t *map, *backends;
  const uint32_t *bounds, *doubts;
  uint32_t slot_mask, pick_key;
} Services;

static inline uint32_t service_hash(uint32_t address, uint32_t port_and_protocol) {
  uint32_t h = (address ^ port_and_protocol * 0x9e3779b1u) * 0x85ebca6bu;
  h = (h ^ (h >> 15)) * 0xc2b2ae35u;
  return h ^ (h >> 13);
}

static inline uint32_t find_service(Services s, uint32_t address, uint32_t port_and_protocol) {
  uint32_t slot = service_hash(address, port_and_protocol) & s.slot_mask;
  for (;;) {
    const uint32_t row = slot * SERVICE_WORDS;
    const uint32_t held = (uint32_t)s.map[row + 1];
    if (held == 0 || ((held & KEY_MASK) == port_and_protocol && (uint32_t)s.map[row] == address)) return row;
    slot = (slot + 1) & s.slot_mask;
  }
}

/* Takes the tables over. Ends the program where they are not laid out as it reads them. */
static Services take_tables(Array map_words, Array backend_words, Array bound_words, Array doubt_words, uint32_t mask,
                            uint32_t pick_key) {
  const Services s = {(int32_t *)map_words.words, (int32_t *)backend_words.words, bound_words.words, doubt_words.words, mask, pick_key};
  int sound = map_words.length == ((uint64_t)mask + 1) * SERVICE_WORDS;
  for (uint32_t row = 0; sound && row < map_words.length; row += SERVICE_WORDS) {
    const uint32_t first = (uint32_t)s.map[row + 2], count = s.map[row + 3] & 0xffff, offset = (uint32_t)s.map[row + 3] >> 16;
    if (s.map[row + 1] == 0 || count == 0) continue;
    sound = (first + count) * 2 <= backend_words.length && offset + count <= bound_words.length &&
            doubt_words.length == bound_words.length &&
            s.bounds[offset + count - 1] == 0xffffffffu;
  }
  if (!sound) fail("the service tables are not laid out as this program reads them");
  return s;
}

/* The first backend whose bound is not below the draw: guessed as if all were equal, and corrected where that is in doubt. */
static inline uint32_t pick_backend(const uint32_t *bounds, uint32_t doubt, uint32_t count, uint32_t draw) {
  const uint64_t product = (uint64_t)draw * count;
  uint32_t k = (uint32_t)(product >> 32);
  if (__builtin_expect((uint32_t)product + doubt > 2 * doubt - 1, 1)) return k;
  while (draw > bounds[k]) k++;
  while (k > 0 && draw <= bounds[k - 1]) k--;
  return k;
}

/* The backend of a packet to the service at `row`. */
static inline uint32_t choose_backend(Services s, uint32_t row, uint32_t packet) {
  const uint32_t choices = s.map[row + 3] & 0xffff, first = (uint32_t)s.map[row + 2];
  if (choices < 2) return first;
  const uint32_t offset = (uint32_t)s.map[row + 3] >> 16;
  return first + pick_backend(s.bounds + offset, s.doubts[offset], choices, draw_with(s.pick_key, packet));
}
