/*
 * Loads lookup.bpf.c, fills its maps and runs it by BPF_PROG_TEST_RUN. Linux, root, libbpf. The programs and maps go when this process goes.
 *
 *   ebpf OBJECT        prints "ready PID", then obeys lines on standard input, and answers each with one line
 *   p FILE             loads the programs anew with maps from a file (common.h):
 *                        0 address, port | protocol << 16, first backend, count of each service
 *                        1 address, port of each backend
 *                        2 the service of each packet, 2^n of them
 *   run REPEAT COUNT   COUNT times in turn: each program REPEAT times. A JSON object: ns per run of each program, by the kernel's clock;
 *                      `misses`: packets that found no backend, `wrong`: picks of a backend of another service, of CHECKED packets
 */
#include "../reference/common.h"
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define PROGRAMS 2
#define PICK 1
#define CHECKED 1024
/* Elements written to a map by one call. */
#define BUNDLE 4096
#define SERVICE_WORDS 4
#define BACKEND_WORDS 2

static const char *const names[PROGRAMS] = {"empty", "pick"};

/* As in lookup.bpf.c. */
struct service_key {
  uint32_t address;
  uint16_t port;
  uint8_t protocol;
  uint8_t zero;
};
struct pair {
  uint32_t first, second;
};
struct globals {
  uint32_t packet_mask, turn, misses, picked_address, picked_port;
};

static struct bpf_object *object;
static int programs[PROGRAMS];
static struct bpf_map *globals_map;
static const char *path;

static void die(const char *what) {
  fprintf(stderr, "ebpf: %s: %s\n", what, strerror(errno));
  exit(1);
}

static int quiet(enum libbpf_print_level level, const char *format, va_list arguments) {
  return level == LIBBPF_WARN ? vfprintf(stderr, format, arguments) : 0;
}

static struct bpf_map *find_map(const char *name) {
  struct bpf_map *map = bpf_object__find_map_by_name(object, name);
  if (!map) die(name);
  return map;
}

static struct globals read_globals(void) {
  struct globals all;
  uint32_t zero = 0;
  if (bpf_map__lookup_elem(globals_map, &zero, sizeof zero, &all, sizeof all, 0)) die("read globals");
  return all;
}

static void write_globals(struct globals all) {
  uint32_t zero = 0;
  if (bpf_map__update_elem(globals_map, &zero, sizeof zero, &all, sizeof all, 0)) die("write globals");
}

static void fill(struct bpf_map *map, const void *keys, uint32_t key_size, const void *values, uint32_t value_size, uint32_t count) {
  LIBBPF_OPTS(bpf_map_batch_opts, options);
  for (uint32_t at = 0; at < count;) {
    uint32_t bundle = count - at < BUNDLE ? count - at : BUNDLE;
    if (bpf_map_update_batch(bpf_map__fd(map), (const char *)keys + (size_t)at * key_size, (const char *)values + (size_t)at * value_size, &bundle, &options))
      die("fill a map");
    at += bundle;
  }
}

static void load(const char *file) {
  if (object) bpf_object__close(object);
  if (read_input(file) != 3) fail("not a file of tables");
  const uint32_t services = input[0].length / SERVICE_WORDS, backends = input[1].length / BACKEND_WORDS, packets = input[2].length;
  if (!services || !backends || !packets || packets & (packets - 1)) fail("no services, no backends, or packets that are no power of two");
  if (!(object = bpf_object__open_file(path, NULL))) die("open the object");
  struct bpf_map *service_map = find_map("services"), *backend_map = find_map("backends"), *packet_map = find_map("packets");
  bpf_map__set_max_entries(service_map, services);
  bpf_map__set_max_entries(backend_map, backends);
  bpf_map__set_max_entries(packet_map, packets);
  if (bpf_object__load(object)) die("load the programs");
  for (int i = 0; i < PROGRAMS; i++) {
    struct bpf_program *program = bpf_object__find_program_by_name(object, names[i]);
    if (!program || (programs[i] = bpf_program__fd(program)) < 0) die(names[i]);
  }
  globals_map = NULL;
  struct bpf_map *map;
  bpf_object__for_each_map(map, object) if (strstr(bpf_map__name(map), ".bss")) globals_map = map;
  if (!globals_map || bpf_map__value_size(globals_map) != sizeof(struct globals)) fail("the globals of the programs are not as expected");

  struct service_key *keys = calloc(services > packets ? services : packets, sizeof *keys);
  struct pair *values = calloc(services > backends ? services : backends, sizeof *values);
  uint32_t *indexes = calloc(backends > packets ? backends : packets, sizeof *indexes);
  if (!keys || !values || !indexes) fail("out of memory");
  for (uint32_t i = 0; i < backends || i < packets; i++) indexes[i] = i;
  for (uint32_t i = 0; i < services; i++) {
    const uint32_t *row = input[0].words + i * SERVICE_WORDS;
    keys[i] = (struct service_key){row[0], row[1] & 0xffff, row[1] >> 16 & 0xff, 0};
    values[i] = (struct pair){row[2], row[3]};
  }
  fill(service_map, keys, sizeof *keys, values, sizeof *values, services);
  fill(backend_map, indexes, sizeof *indexes, input[1].words, sizeof *values, backends);
  struct service_key *wanted = calloc(packets, sizeof *wanted);
  if (!wanted) fail("out of memory");
  for (uint32_t i = 0; i < packets; i++) {
    if (input[2].words[i] >= services) fail("a packet to no service");
    wanted[i] = keys[input[2].words[i]];
  }
  fill(packet_map, indexes, sizeof *indexes, wanted, sizeof *wanted, packets);
  free(keys), free(values), free(indexes), free(wanted);
  write_globals((struct globals){.packet_mask = packets - 1});
}

/* Nanoseconds per run, the kernel's mean over `repeat` runs. */
static uint32_t run(int program, uint32_t repeat) {
  static unsigned char packet[64];
  LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = packet, .data_size_in = sizeof packet, .repeat = repeat);
  if (bpf_prog_test_run_opts(programs[program], &options)) die("BPF_PROG_TEST_RUN");
  return options.duration;
}

/* Of so many packets, one by one: how many got a backend that is not their service's. */
static uint32_t count_wrong(void) {
  uint32_t wrong = 0;
  for (uint32_t i = 0; i < CHECKED; i++) {
    const uint32_t packet = read_globals().turn & (input[2].length - 1);
    run(PICK, 1);
    const struct globals picked = read_globals();
    const uint32_t *service = input[0].words + input[2].words[packet] * SERVICE_WORDS;
    uint32_t k = 0;
    for (; k < service[3]; k++) {
      const uint32_t *backend = input[1].words + (service[2] + k) * BACKEND_WORDS;
      if (backend[0] == picked.picked_address && backend[1] == picked.picked_port) break;
    }
    wrong += k == service[3];
  }
  return wrong;
}

static void measure(uint32_t repeat, uint32_t count) {
  uint32_t *ns[PROGRAMS];
  for (int i = 0; i < PROGRAMS; i++) {
    ns[i] = calloc(count, sizeof(uint32_t));
    run(i, repeat);
  }
  const uint64_t wall = now_ns(), cpu = read_clock(CLOCK_PROCESS_CPUTIME_ID);
  for (uint32_t k = 0; k < count; k++)
    for (int i = 0; i < PROGRAMS; i++) ns[i][k] = run(i, repeat);
  const double share = (double)(read_clock(CLOCK_PROCESS_CPUTIME_ID) - cpu) / (double)(now_ns() - wall);
  printf("{");
  for (int i = 0; i < PROGRAMS; i++) {
    printf("\"%s\":[", names[i]);
    for (uint32_t k = 0; k < count; k++) printf(k ? ",%u" : "%u", ns[i][k]);
    printf("],");
    free(ns[i]);
  }
  const uint32_t wrong = count_wrong();
  printf("\"cpuShare\":%.3f,\"misses\":%u,\"wrong\":%u}\n", share, read_globals().misses, wrong);
}

int main(int words, char **word) {
  static char line[4096];
  unsigned repeat, count;
  if (words != 2) fail("usage: ebpf OBJECT");
  path = word[1];
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  libbpf_set_print(quiet);
  printf("ready %d\n", getpid());
  fflush(stdout);
  while (fgets(line, sizeof line, stdin)) {
    line[strcspn(line, "\n")] = 0;
    if (line[0] == 'p' && line[1] == ' ') {
      load(line + 2);
      puts("{}");
    } else if (sscanf(line, "run %u %u", &repeat, &count) == 2 && repeat && count) measure(repeat, count);
    else fail("ebpf: unknown command");
    fflush(stdout);
  }
  return 0;
}
