/* Lookup by open addressing, weighted pick, masquerade decision and the writing of outcome columns in C: what src/engine/service-passes.ts does
 * over the tables of src/engine/compile/services.ts, with the same named draw.
 */
#include "common.h"
#include "lookup.h"

enum { MASQUERADE_UNMARKED = 1, MASQUERADE_MARKED = 2, FULLY_RANDOM = 4, LOCAL = 8, HAIRPIN = 16 };
enum { FLAG_DNAT = 1, FLAG_MASQUERADE = 2, FLAG_LOCAL = 8, FLAG_FULLY_RANDOM = 64 };

static const int32_t *test_value, *test_mask, *test_negate;
static uint32_t mark_unmarked, mark_marked, batch_size, batches;
static const uint32_t *p_src, *p_dst, *p_id;
static const uint8_t *p_protocol;
static const uint16_t *p_dport;
static uint8_t *out_verdict, *out_flags;
static uint32_t *out_dst, *out_mark;
static uint16_t *out_dport;

static void classify(uint32_t from, uint32_t to) {
  for (uint32_t i = from; i < to; i++) {
    const uint16_t port = p_dport[i];
    const uint32_t row = find_service(p_dst[i], (uint32_t)p_protocol[i] << 16 | port);
    if (map[row + 1] == 0) fail("a packet of the pool has no service");
    const uint32_t backend = choose_backend(row, p_id[i]);
    const int32_t source = (int32_t)p_src[i], test = (uint32_t)map[row + 1] >> 24;
    const int32_t address = backends[2 * backend], rest = backends[2 * backend + 1];
    const uint32_t flags = (uint32_t)rest >> 16;
    const int marked = ((source & test_mask[test]) == test_value[test]) != (test_negate[test] == 1) ||
                       (source == address && (flags & HAIRPIN) != 0);
    const int masquerade = (flags & (marked ? MASQUERADE_MARKED : MASQUERADE_UNMARKED)) != 0;
    out_verdict[i] = 0;
    out_flags[i] = (uint8_t)(FLAG_DNAT | (flags & LOCAL ? FLAG_LOCAL : 0) | (masquerade ? FLAG_MASQUERADE : 0) |
                             (masquerade && (flags & FULLY_RANDOM) ? FLAG_FULLY_RANDOM : 0));
    out_dst[i] = (uint32_t)address;
    out_dport[i] = (uint16_t)rest;
    out_mark[i] = marked ? mark_marked : mark_unmarked;
  }
}

static uint32_t run(uint32_t batch) {
  const uint32_t from = batch % batches * batch_size, to = from + batch_size;
  uint32_t sum = 0;
  classify(from, to);
  for (uint32_t i = from; i < to; i++) sum += out_dst[i] + out_dport[i] + out_flags[i];
  return sum;
}

int main(int argc, char **argv) {
  if (argc != 3) fail("usage: lookup INPUT MILLISECONDS");
  if (read_input(argv[1]) != 12) fail("this input is for another program");
  const uint32_t *parameters = input[0].words;
  batch_size = parameters[0];
  mark_unmarked = parameters[2];
  mark_marked = parameters[3];
  pick_key = draw_key(parameters[4], parameters[5], 0xffffffffu, 0);
  take_tables(input[1], input[2], input[3], parameters[1]);
  test_value = (int32_t *)input[4].words;
  test_mask = (int32_t *)input[5].words;
  test_negate = (int32_t *)input[6].words;
  p_src = input[7].words;
  p_dst = input[8].words;
  p_protocol = bytes_of(input[9]);
  p_dport = shorts_of(input[10]);
  p_id = input[11].words;
  const uint32_t packets = input[7].length;
  batches = packets / batch_size;
  out_verdict = zeroed(packets);
  out_flags = zeroed(packets);
  out_dst = zeroed((size_t)packets * 4);
  out_mark = zeroed((size_t)packets * 4);
  out_dport = zeroed((size_t)packets * 2);
  classify(0, packets);
  uint32_t checksum = CHECKSUM_START;
  for (uint32_t i = 0; i < packets; i++) {
    checksum = checksum_word(checksum, (uint32_t)out_verdict[i] | (uint32_t)out_flags[i] << 8 | (uint32_t)out_dport[i] << 16);
    checksum = checksum_word(checksum, out_dst[i]);
    checksum = checksum_word(checksum, out_mark[i]);
  }
  report(time_batches(run, batch_size, (uint32_t)atoi(argv[2]), NULL, 0), checksum, 0, "\n");
  return 0;
}
