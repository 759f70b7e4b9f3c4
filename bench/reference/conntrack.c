/* Packets through the connection table in C: the fast path of src/datapath/datapath.ts for packets of established connections, and the way of a
 * first packet (miss, service lookup, pick, entry) that no rule masquerades; the table is that of src/conntrack/table.ts, read in as it
 * stands. What these packets cannot meet (time-outs, closing connections, ICMP) ends the program.
 */
#include "common.h"
#include "lookup.h"

enum { META = 0, EXPIRES = 1, STREAM = 3, PORTS = 4, ADDRESSES = 6, NEXT = 10, STRIDE = 16, AHEAD = 64 };
enum { TCP = 6, UDP = 17, SCTP = 132 };
enum { SEEN_REPLY = 2, ASSURED = 4, CONFIRMED = 8, DNAT = 32 };
enum { STATE_NEW = 2, STATE_ESTABLISHED = 8 };
enum { FIN = 1, SYN = 2, RST = 4, ACK = 16 };
enum { SYN_SENT = 1, ESTABLISHED = 3, SEGMENT_SYN = 0, SEGMENT_ACK = 3 };
/* Milliseconds: the kernel's defaults, KERNEL_TIMEOUTS of src/conntrack/timeouts.ts. */
enum { TCP_SYN_SENT = 120000, TCP_ESTABLISHED = 432000000, UDP_UNREPLIED = 30000, UDP_STREAM = 120000, UDP_STREAM_AFTER = 2000,
       SCTP_COOKIE_WAIT_MS = 3000, SCTP_ESTABLISHED_MS = 210000 };
enum { SCTP_COOKIE_WAIT = 1, SCTP_ESTABLISHED = 3 };

static Services services;
static int32_t *records, *slots;
static uint32_t index_mask, ref_mask, batch_size, top, free_record, capacity;
static int32_t tick;

typedef struct {
  const uint32_t *src, *dst, *id;
  const uint8_t *protocol, *flags;
  const uint16_t *sport, *dport;
  uint32_t count;
} Packets;

typedef struct {
  uint8_t *verdict, *reason, *state;
  uint32_t *src, *dst, *mark;
  uint16_t *sport, *dport;
  int32_t *ref;
} Results;

static Packets established, first;
static Results known, opened;

static inline uint32_t hash_tuple(uint32_t src, uint32_t dst, uint32_t ports, uint32_t protocol) {
  uint32_t h = (src ^ protocol * 0x27d4eb2fu) * 0x9e3779b1u;
  h = ((h ^ (h >> 16)) + dst) * 0x85ebca6bu;
  h = ((h ^ (h >> 15)) + ports) * 0x2c1b3c6du;
  return h ^ (h >> 16);
}

static inline uint32_t lookup_hashed(uint32_t hash, uint32_t src, uint32_t dst, uint32_t ports, uint32_t protocol) {
  for (uint32_t at = hash & index_mask;; at = (at + 1) & index_mask) {
    const uint32_t slot = (uint32_t)slots[at];
    if (slot == 0) return 0;
    if (((slot ^ hash) & ~ref_mask) != 0) continue;
    const uint32_t ref = slot & ref_mask, side = ref & 1;
    const int32_t *record = records + (size_t)(ref >> 1) * STRIDE;
    if ((uint32_t)record[PORTS + side] == ports && (uint32_t)record[ADDRESSES + 2 * side] == src &&
        (uint32_t)record[ADDRESSES + 1 + 2 * side] == dst && ((uint32_t)record[META] & 255) == protocol)
      return ref;
  }
}

static inline uint32_t ports_of(const Packets *p, uint32_t i) { return (uint32_t)p->sport[i] << 16 | p->dport[i]; }

/* Tracker.follow for packets of connections that are up: gives META after the packet, and the time-out. */
static inline uint32_t follow(uint32_t meta, int32_t stream, uint32_t direction, uint32_t flags, int32_t *timeout) {
  uint32_t after = meta;
  switch (meta & 255) {
    case TCP:
      if ((flags & (RST | SYN | FIN | ACK)) != ACK || (meta >> 16 & 15) != ESTABLISHED) fail("a TCP connection is not up");
      after = (meta & 0xffff) | ESTABLISHED << 16 | SEGMENT_ACK << 20 | direction << 23;
      *timeout = TCP_ESTABLISHED;
      if (meta & SEEN_REPLY << 8) after |= ASSURED << 8;
      break;
    case UDP:
      *timeout = UDP_UNREPLIED;
      if ((meta & SEEN_REPLY << 8) && tick - stream > 0) {
        *timeout = UDP_STREAM;
        after |= ASSURED << 8;
      }
      break;
    case SCTP:
      if ((meta >> 16 & 15) != SCTP_ESTABLISHED) fail("an SCTP association is not up");
      *timeout = SCTP_ESTABLISHED_MS;
      break;
    default: fail("a protocol this program does not know");
  }
  return direction ? after | SEEN_REPLY << 8 : after;
}

static void translate_chunk(const Packets *p, Results *out, uint32_t start, uint32_t end) {
  uint32_t hashes[AHEAD], slot[AHEAD], sum = 0;
  static volatile uint32_t sink;
  for (uint32_t i = start; i < end; i++) {
    hashes[i - start] = hash_tuple(p->src[i], p->dst[i], ports_of(p, i), p->protocol[i]);
    slot[i - start] = (uint32_t)slots[hashes[i - start] & index_mask];
  }
  for (uint32_t i = end - start; i-- > 0;) sum ^= (uint32_t)records[(size_t)((slot[i] & ref_mask) >> 1) * STRIDE];
  sink = sum;
  (void)sink;
  for (uint32_t i = start; i < end; i++) {
    const uint32_t ref = lookup_hashed(hashes[i - start], p->src[i], p->dst[i], ports_of(p, i), p->protocol[i]);
    int32_t *record = records + (size_t)(ref >> 1) * STRIDE, timeout;
    if (ref == 0 || record[EXPIRES] - tick <= 0) fail("a packet of the pool has no live connection");
    const uint32_t side = ref & 1;
    const uint32_t meta = follow((uint32_t)record[META], record[STREAM], side, p->flags[i], &timeout);
    const uint32_t other_ports = (uint32_t)record[PORTS + 1 - side];
    out->verdict[i] = 0;
    out->reason[i] = 0;
    out->mark[i] = 0;
    out->src[i] = (uint32_t)record[ADDRESSES + 3 - 2 * side];
    out->dst[i] = (uint32_t)record[ADDRESSES + 2 - 2 * side];
    out->sport[i] = (uint16_t)other_ports;
    out->dport[i] = (uint16_t)(other_ports >> 16);
    record[META] = (int32_t)meta;
    record[EXPIRES] = tick + timeout;
    out->state[i] = STATE_ESTABLISHED;
    out->ref[i] = (int32_t)ref;
  }
}

static void place(uint32_t ref, uint32_t hash) {
  uint32_t at = hash & index_mask;
  while (slots[at] != 0) at = (at + 1) & index_mask;
  slots[at] = (int32_t)((hash & ~ref_mask) | ref);
}

static uint32_t hash_of_ref(uint32_t ref) {
  const int32_t *record = records + (size_t)(ref >> 1) * STRIDE;
  const uint32_t side = ref & 1;
  return hash_tuple((uint32_t)record[ADDRESSES + 2 * side], (uint32_t)record[ADDRESSES + 1 + 2 * side],
                    (uint32_t)record[PORTS + side], (uint32_t)record[META] & 255);
}

static void displace(uint32_t ref) {
  uint32_t gap = hash_of_ref(ref) & index_mask;
  while (((uint32_t)slots[gap] & ref_mask) != ref) gap = (gap + 1) & index_mask;
  for (uint32_t at = (gap + 1) & index_mask; slots[at] != 0; at = (at + 1) & index_mask) {
    const uint32_t home = hash_of_ref((uint32_t)slots[at] & ref_mask) & index_mask;
    if (((at - home) & index_mask) >= ((at - gap) & index_mask)) {
      slots[gap] = slots[at];
      gap = at;
    }
  }
  slots[gap] = 0;
}

static void remove_connection(uint32_t ref) {
  const uint32_t record = ref >> 1;
  displace(record * 2);
  displace(record * 2 + 1);
  records[(size_t)record * STRIDE + META] = 0;
  records[(size_t)record * STRIDE + NEXT] = (int32_t)free_record;
  free_record = record;
}

static uint32_t allocate(void) {
  if (free_record != 0) {
    const uint32_t record = free_record;
    free_record = (uint32_t)records[(size_t)record * STRIDE + NEXT];
    return record;
  }
  if (top == capacity) fail("no room for another connection");
  return top++;
}

/* Tracker.open. */
static uint32_t open_meta(uint32_t protocol, uint32_t flags, int32_t *timeout) {
  const uint32_t meta = protocol | CONFIRMED << 8;
  switch (protocol) {
    case TCP:
      if (flags != SYN) fail("a first TCP packet is no SYN");
      *timeout = TCP_SYN_SENT;
      return meta | SYN_SENT << 16 | SEGMENT_SYN << 20;
    case UDP: *timeout = UDP_UNREPLIED; return meta;
    case SCTP: *timeout = SCTP_COOKIE_WAIT_MS; return meta | SCTP_COOKIE_WAIT << 16;
  }
  fail("a protocol this program does not know");
  return 0;
}

static void open_chunk(const Packets *p, Results *out, uint32_t start, uint32_t end) {
  for (uint32_t i = start; i < end; i++) {
    const uint32_t ports = ports_of(p, i), protocol = p->protocol[i], src = p->src[i];
    const uint32_t hash = hash_tuple(src, p->dst[i], ports, protocol);
    if (lookup_hashed(hash, src, p->dst[i], ports, protocol) != 0) fail("a first packet has a connection");
    int32_t timeout;
    const uint32_t meta = open_meta(protocol, p->flags[i], &timeout);
    const uint32_t row = find_service(services, p->dst[i], protocol << 16 | p->dport[i]);
    if (services.map[row + 1] == 0) fail("a packet of the pool has no service");
    const uint32_t backend = 2 * choose_backend(services, row, p->id[i]);
    const uint32_t dst = (uint32_t)services.backends[backend], dport = (uint32_t)services.backends[backend + 1] & 0xffff;
    const uint32_t reply_ports = dport << 16 | p->sport[i];
    const uint32_t reply_hash = hash_tuple(dst, src, reply_ports, protocol);
    if (lookup_hashed(reply_hash, dst, src, reply_ports, protocol) != 0) fail("a reply tuple is taken");
    const uint32_t record = allocate();
    int32_t *entry = records + (size_t)record * STRIDE;
    entry[META] = (int32_t)(meta | DNAT << 8);
    entry[EXPIRES] = tick + timeout;
    entry[2] = 0;
    entry[STREAM] = protocol == UDP ? tick + UDP_STREAM_AFTER : 0;
    entry[PORTS] = (int32_t)ports;
    entry[PORTS + 1] = (int32_t)reply_ports;
    entry[ADDRESSES] = (int32_t)src;
    entry[ADDRESSES + 1] = (int32_t)p->dst[i];
    entry[ADDRESSES + 2] = (int32_t)dst;
    entry[ADDRESSES + 3] = (int32_t)src;
    place(record * 2, hash);
    place(record * 2 + 1, reply_hash);
    out->verdict[i] = 0;
    out->reason[i] = 0;
    out->src[i] = src;
    out->dst[i] = dst;
    out->sport[i] = p->sport[i];
    out->dport[i] = (uint16_t)dport;
    out->mark[i] = 0;
    out->state[i] = STATE_NEW;
    out->ref[i] = (int32_t)(record * 2);
  }
}

static uint32_t sum_results(const Results *out, uint32_t from, uint32_t to) {
  uint32_t sum = 0;
  for (uint32_t i = from; i < to; i++) sum += out->dst[i] + out->dport[i] + out->state[i];
  return sum;
}

static uint32_t run_established(uint32_t batch) {
  const uint32_t from = batch % (established.count / batch_size) * batch_size, to = from + batch_size;
  for (uint32_t start = from; start < to; start += AHEAD)
    translate_chunk(&established, &known, start, start + AHEAD < to ? start + AHEAD : to);
  return sum_results(&known, from, to);
}

static uint32_t run_first(uint32_t batch) {
  const uint32_t from = batch % (first.count / batch_size) * batch_size;
  open_chunk(&first, &opened, from, from + batch_size);
  return sum_results(&opened, from, from + batch_size);
}

/* Takes out the connections that a batch opened the last time round. */
static void prepare_first(uint32_t batch) {
  const uint32_t from = batch % (first.count / batch_size) * batch_size;
  for (uint32_t i = from; i < from + batch_size; i++) remove_connection((uint32_t)opened.ref[i]);
}

static uint32_t fold_results(const Results *out, uint32_t count) {
  uint32_t checksum = CHECKSUM_START;
  for (uint32_t i = 0; i < count; i++) {
    checksum = checksum_word(checksum, (uint32_t)out->verdict[i] | (uint32_t)out->reason[i] << 8 | (uint32_t)out->state[i] << 16);
    checksum = checksum_word(checksum, out->src[i]);
    checksum = checksum_word(checksum, out->dst[i]);
    checksum = checksum_word(checksum, (uint32_t)out->sport[i] << 16 | out->dport[i]);
    checksum = checksum_word(checksum, out->mark[i]);
  }
  return checksum;
}

static Packets packets_at(uint32_t at) {
  return (Packets){.src = input[at].words, .dst = input[at + 1].words, .protocol = bytes_of(input[at + 2]),
                   .sport = shorts_of(input[at + 3]), .dport = shorts_of(input[at + 4]), .flags = bytes_of(input[at + 5]),
                   .id = input[at + 6].words, .count = input[at].length};
}

static Results results_for(uint32_t count) {
  return (Results){.verdict = zeroed(count), .reason = zeroed(count), .state = zeroed(count), .src = zeroed((size_t)count * 4),
                   .dst = zeroed((size_t)count * 4), .mark = zeroed((size_t)count * 4), .sport = zeroed((size_t)count * 2),
                   .dport = zeroed((size_t)count * 2), .ref = zeroed((size_t)count * 4)};
}

int main(int argc, char **argv) {
  if (argc != 2) fail("usage: conntrack INPUT");
  if (read_input(argv[1]) != 21) fail("this input is for another program");
  const uint32_t *parameters = input[0].words;
  batch_size = parameters[0];
  ref_mask = parameters[1];
  tick = (int32_t)parameters[2];
  top = parameters[3];
  records = (int32_t *)input[1].words;
  capacity = input[1].length / STRIDE;
  slots = (int32_t *)input[2].words;
  index_mask = input[2].length - 1;
  services = take_tables(input[3], input[4], input[5], input[6], parameters[4], draw_key(parameters[5], parameters[6], 0xffffffffu, 0));
  established = packets_at(7);
  first = packets_at(14);
  known = results_for(established.count);
  opened = results_for(first.count);
  for (uint32_t b = 0; b < established.count / batch_size; b++) run_established(b);
  for (uint32_t b = 0; b < first.count / batch_size; b++) run_first(b);
  const uint32_t established_sum = fold_results(&known, established.count), first_sum = fold_results(&opened, first.count);
  for (Request next; next_request(&next);) {
    if (next.series == 0)
      report(time_batches(run_established, batch_size, next.milliseconds, NULL, 0), established_sum, 0);
    else
      report(time_batches(run_first, batch_size, 0, prepare_first, next.most), first_sum, 0);
  }
  return 0;
}
