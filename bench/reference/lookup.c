/* Lookup by open addressing, weighted pick, masquerade decision and the writing of outcome columns in C: what src/engine/service-passes.ts does
 * over the tables of src/engine/compile/services.ts, with the same named draw. Where the input holds several rule sets, each batch is one of the next
 * in turn; what becomes of a batch goes to the columns of the one before, as in bench/subjects/walk.ts.
 */
#include "common.h"
#include "lookup.h"

enum { MASQUERADE_UNMARKED = 1, MASQUERADE_MARKED = 2, FULLY_RANDOM = 4, LOCAL = 8, HAIRPIN = 16 };
enum { FLAG_DNAT = 1, FLAG_MASQUERADE = 2, FLAG_LOCAL = 8, FLAG_FULLY_RANDOM = 64 };
enum { MOST_RULE_SETS = 4, ARRAYS_OF_RULE_SET = 13 };

/* A rule set with its packets. */
typedef struct {
  Services services;
  const int32_t *test_value, *test_mask, *test_negate;
  uint32_t mark_unmarked, mark_marked, packets;
  const uint32_t *src, *dst, *id;
  const uint8_t *protocol;
  const uint16_t *dport;
} RuleSet;

static RuleSet rule_sets[MOST_RULE_SETS];
static uint32_t rule_set_count, batch_size, batches;
static uint8_t *out_verdict, *out_flags;
static uint32_t *out_dst, *out_mark;
static uint16_t *out_dport;

static void classify(const RuleSet *from, uint32_t first_packet) {
  const RuleSet s = *from;
  for (uint32_t n = 0; n < batch_size; n++) {
    const uint32_t i = first_packet + n;
    const uint32_t row = find_service(s.services, s.dst[i], (uint32_t)s.protocol[i] << 16 | s.dport[i]);
    if (s.services.map[row + 1] == 0) fail("a packet of the pool has no service");
    const uint32_t backend = choose_backend(s.services, row, s.id[i]);
    const int32_t source = (int32_t)s.src[i], test = (uint32_t)s.services.map[row + 1] >> 24;
    const int32_t address = s.services.backends[2 * backend], rest = s.services.backends[2 * backend + 1];
    const uint32_t flags = (uint32_t)rest >> 16;
    const int marked = ((source & s.test_mask[test]) == s.test_value[test]) != (s.test_negate[test] == 1) ||
                       (source == address && (flags & HAIRPIN) != 0);
    const int masquerade = (flags & (marked ? MASQUERADE_MARKED : MASQUERADE_UNMARKED)) != 0;
    out_verdict[n] = 0;
    out_flags[n] = (uint8_t)(FLAG_DNAT | (flags & LOCAL ? FLAG_LOCAL : 0) | (masquerade ? FLAG_MASQUERADE : 0) |
                             (masquerade && (flags & FULLY_RANDOM) ? FLAG_FULLY_RANDOM : 0));
    out_dst[n] = (uint32_t)address;
    out_dport[n] = (uint16_t)rest;
    out_mark[n] = marked ? s.mark_marked : s.mark_unmarked;
  }
}

static uint32_t run(uint32_t turn) {
  uint32_t sum = 0;
  classify(&rule_sets[turn % rule_set_count], turn / rule_set_count % batches * batch_size);
  for (uint32_t n = 0; n < batch_size; n++) sum += out_dst[n] + out_dport[n] + out_flags[n];
  return sum;
}

static RuleSet take_rule_set(const Array *arrays) {
  const uint32_t *parameters = arrays[0].words;
  const uint32_t pick_key = draw_key(parameters[4], parameters[5], 0xffffffffu, 0);
  batch_size = parameters[0];
  return (RuleSet){.services = take_tables(arrays[1], arrays[2], arrays[3], arrays[4], parameters[1], pick_key),
                   .mark_unmarked = parameters[2], .mark_marked = parameters[3],
                   .test_value = (int32_t *)arrays[5].words, .test_mask = (int32_t *)arrays[6].words,
                   .test_negate = (int32_t *)arrays[7].words, .src = arrays[8].words, .dst = arrays[9].words,
                   .protocol = bytes_of(arrays[10]), .dport = shorts_of(arrays[11]), .id = arrays[12].words,
                   .packets = arrays[8].length};
}

int main(int argc, char **argv) {
  if (argc != 2) fail("usage: lookup INPUT");
  const uint32_t arrays = read_input(argv[1]);
  rule_set_count = arrays / ARRAYS_OF_RULE_SET;
  if (arrays == 0 || arrays % ARRAYS_OF_RULE_SET != 0 || rule_set_count > MOST_RULE_SETS) fail("this input is for another program");
  for (uint32_t k = 0; k < rule_set_count; k++) rule_sets[k] = take_rule_set(input + k * ARRAYS_OF_RULE_SET);
  batches = rule_sets[0].packets / batch_size;
  out_verdict = zeroed(batch_size);
  out_flags = zeroed(batch_size);
  out_dst = zeroed((size_t)batch_size * 4);
  out_mark = zeroed((size_t)batch_size * 4);
  out_dport = zeroed((size_t)batch_size * 2);
  /* What is exact is told of the first rule set. */
  uint32_t checksum = CHECKSUM_START;
  for (uint32_t b = 0; b < batches; b++) {
    classify(&rule_sets[0], b * batch_size);
    for (uint32_t n = 0; n < batch_size; n++) {
      checksum = checksum_word(checksum, (uint32_t)out_verdict[n] | (uint32_t)out_flags[n] << 8 | (uint32_t)out_dport[n] << 16);
      checksum = checksum_word(checksum, out_dst[n]);
      checksum = checksum_word(checksum, out_mark[n]);
    }
  }
  for (Request next; next_request(&next);)
    report(time_batches(run, batch_size, next.milliseconds, NULL, 0), checksum, 0);
  return 0;
}
