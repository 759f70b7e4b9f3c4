/* A service map with open addressing (bench/rivals/open-addressing.ts), the pick and the backends of src/engine/compile/services.ts: what lookup.c measures alone, and conntrack.c uses for the
 * first packet of a connection. Include after common.h.
 */
enum { SERVICE_WORDS = 4, KEY_MASK = 0xffffff };

static const int32_t *map, *backends;
static const uint32_t *bounds;
static uint32_t slot_mask, pick_key;

static inline uint32_t service_hash(uint32_t address, uint32_t port_and_protocol) {
  uint32_t h = (address ^ port_and_protocol * 0x9e3779b1u) * 0x85ebca6bu;
  h = (h ^ (h >> 15)) * 0xc2b2ae35u;
  return h ^ (h >> 13);
}

static inline uint32_t find_service(uint32_t address, uint32_t port_and_protocol) {
  uint32_t slot = service_hash(address, port_and_protocol) & slot_mask;
  for (;;) {
    const uint32_t row = slot * SERVICE_WORDS;
    const uint32_t held = (uint32_t)map[row + 1];
    if (held == 0 || ((held & KEY_MASK) == port_and_protocol && (uint32_t)map[row] == address)) return row;
    slot = (slot + 1) & slot_mask;
  }
}

/* Takes the tables over. Ends the program where they are not laid out as it reads them. */
static void take_tables(Array map_words, Array backend_words, Array bound_words, uint32_t mask) {
  map = (int32_t *)map_words.words;
  backends = (int32_t *)backend_words.words;
  bounds = bound_words.words;
  slot_mask = mask;
  int sound = map_words.length == ((uint64_t)mask + 1) * SERVICE_WORDS;
  for (uint32_t row = 0; sound && row < map_words.length; row += SERVICE_WORDS) {
    const uint32_t first = (uint32_t)map[row + 2], count = map[row + 3] & 0xffff, offset = (uint32_t)map[row + 3] >> 16;
    if (map[row + 1] == 0 || count == 0) continue;
    sound = (first + count) * 2 <= backend_words.length && offset + count <= bound_words.length &&
            bounds[offset + count - 1] == 0xffffffffu;
  }
  if (!sound) fail("the service tables are not laid out as this program reads them");
}

/* The first backend whose bound is not below the draw: guessed as if all were equal, then corrected. */
static inline uint32_t pick_backend(uint32_t offset, uint32_t count, uint32_t draw) {
  uint32_t k = (uint32_t)(((uint64_t)draw * count) >> 32);
  while (draw > bounds[offset + k]) k++;
  while (k > 0 && draw <= bounds[offset + k - 1]) k--;
  return k;
}

/* The backend of a packet to the service at `row`. */
static inline uint32_t choose_backend(uint32_t row, uint32_t packet) {
  const uint32_t choices = map[row + 3] & 0xffff, first = (uint32_t)map[row + 2];
  return choices > 1 ? first + pick_backend((uint32_t)map[row + 3] >> 16, choices, draw_with(pick_key, packet)) : first;
}
