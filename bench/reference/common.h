/* What the reference programs share: the input file, the named draws, the clock, and the printing of samples.
 *
 * Input: little-endian uint32 words: magic, number of arrays, then for each array its length and its words. Which array is
 * which is fixed by the order in which bench/reference/input.ts writes them.
 * Requests: lines on standard input, see `next_request`. Output: for each a line of JSON on standard output, see `report`.
 */
#define _POSIX_C_SOURCE 200809L
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define MAGIC 0x43574c4bu
#define MOST_ARRAYS 64
#define MOST_SAMPLES 100000

typedef struct {
  uint32_t *words;
  uint32_t length;
} Array;

static Array input[MOST_ARRAYS];

static void fail(const char *message) {
  fprintf(stderr, "%s\n", message);
  exit(1);
}

/* Reads all arrays of a file into `input`; gives their number. */
static uint32_t read_input(const char *path) {
  FILE *file = fopen(path, "rb");
  uint32_t head[2];
  if (!file || fread(head, 4, 2, file) != 2 || head[0] != MAGIC || head[1] > MOST_ARRAYS) fail("not an input file");
  for (uint32_t i = 0; i < head[1]; i++) {
    uint32_t length;
    if (fread(&length, 4, 1, file) != 1) fail("the input file is truncated");
    input[i].length = length;
    input[i].words = aligned_alloc(64, ((size_t)length * 4 / 64 + 1) * 64);
    if (!input[i].words || fread(input[i].words, 4, length, file) != length) fail("the input file is truncated");
  }
  fclose(file);
  return head[1];
}

/* An array of narrower elements, as the typed arrays of the other side are. */
static uint8_t *bytes_of(Array from) {
  uint8_t *to = aligned_alloc(64, (from.length / 64 + 1) * 64);
  for (uint32_t i = 0; i < from.length; i++) to[i] = (uint8_t)from.words[i];
  return to;
}

static uint16_t *shorts_of(Array from) {
  uint16_t *to = aligned_alloc(64, ((size_t)from.length * 2 / 64 + 1) * 64);
  for (uint32_t i = 0; i < from.length; i++) to[i] = (uint16_t)from.words[i];
  return to;
}

static void *zeroed(size_t bytes) {
  void *memory = aligned_alloc(64, (bytes / 64 + 1) * 64);
  if (!memory) fail("out of memory");
  for (size_t i = 0; i < bytes; i++) ((uint8_t *)memory)[i] = 0;
  return memory;
}

/* src/engine/draw.ts */
static inline uint32_t mix(uint32_t x) {
  x = (x ^ (x >> 16)) * 0x7feb352du;
  x = (x ^ (x >> 15)) * 0x846ca68bu;
  return x ^ (x >> 16);
}

static inline uint32_t draw_key(uint32_t seed_low, uint32_t seed_high, uint32_t rule, uint32_t visit) {
  uint32_t seeded = mix(mix(seed_low ^ 0x9e3779b9u) + seed_high);
  return mix(mix(seeded + visit * 0x85ebca6bu) + rule);
}

static inline uint32_t draw_with(uint32_t key, uint32_t packet) {
  uint32_t x = packet ^ key;
  x = (x ^ (x >> 16)) * 0x7feb352du;
  x = ((x ^ (x >> 15)) + key) * 0x846ca68bu;
  x = (x ^ (x >> 16)) * 0x21f0aaadu;
  return x ^ (x >> 15);
}

/* FNV-1a over words: the checksum of outcomes, as bench/workload/checksum.ts folds it. */
#define CHECKSUM_START 0x811c9dc5u
static inline uint32_t checksum_word(uint32_t hash, uint32_t word) {
  return (hash ^ word) * 0x01000193u;
}

static inline uint64_t read_clock(clockid_t clock) {
  struct timespec at;
  clock_gettime(clock, &at);
  return (uint64_t)at.tv_sec * 1000000000u + (uint64_t)at.tv_nsec;
}

static inline uint64_t now_ns(void) { return read_clock(CLOCK_MONOTONIC); }

typedef struct {
  double *ns;
  uint32_t count;
  double cpu_share; /* CPU time over wall time, warming up included */
} Samples;

/* Times batches for `milliseconds` after a third of that to warm up; `run` classifies batch number b and gives what depends on
 * its outcomes; `prepare`, where there is one, runs before each batch and is not timed, and then the batches are numbered by
 * `most` instead of by time. */
static Samples time_batches(uint32_t (*run)(uint32_t b), uint32_t packets, uint32_t milliseconds,
                            void (*prepare)(uint32_t b), uint32_t most) {
  Samples samples = {malloc(MOST_SAMPLES * sizeof(double)), 0, 0};
  const uint64_t wall = now_ns(), cpu = read_clock(CLOCK_PROCESS_CPUTIME_ID);
  static volatile uint32_t sink;
  uint32_t batch = 0, folded = 0;
  if (!prepare) {
    uint64_t until = now_ns() + (uint64_t)milliseconds * 350000u;
    while (now_ns() < until) folded += run(batch++);
  }
  const uint64_t until = now_ns() + (uint64_t)milliseconds * 1000000u;
  for (uint64_t to = 0; samples.count < MOST_SAMPLES; batch++) {
    if (prepare ? samples.count >= most : to >= until && samples.count >= 4) break;
    if (prepare) prepare(batch);
    const uint64_t from = now_ns();
    folded += run(batch);
    to = now_ns();
    samples.ns[samples.count++] = (double)(to - from) / packets;
  }
  samples.cpu_share = (double)(read_clock(CLOCK_PROCESS_CPUTIME_ID) - cpu) / (double)(now_ns() - wall);
  sink = folded;
  (void)sink;
  return samples;
}

/* What is to be measured next; false at the end of the input. */
typedef struct {
  uint32_t series; /* which of the program's measurements, counted from 0 */
  uint32_t milliseconds;
  uint32_t most; /* batches, of a measurement that prepares them */
} Request;

static int next_request(Request *next) {
  return scanf("%u %u %u", &next->series, &next->milliseconds, &next->most) == 3;
}

/* {"samples": [ns per packet, ...], "checksum": uint32, "rulesVisited": sum over the pool, "cpuShare": 0..1} */
static void report(Samples samples, uint32_t checksum, uint64_t rules_visited) {
  printf("{\"samples\":[");
  for (uint32_t i = 0; i < samples.count; i++) printf(i ? ",%.2f" : "%.2f", samples.ns[i]);
  printf("],\"checksum\":%u,\"rulesVisited\":%llu,\"cpuShare\":%.3f}\n", checksum,
         (unsigned long long)rules_visited, samples.cpu_share);
  fflush(stdout);
  free(samples.ns);
}
