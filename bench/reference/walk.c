/* The column-scanned linear walk in C: src/engine/scan.ts over the columns of src/engine/compile/columns.ts, row by row, for IPv4
 * packets that open a connection. What the columns have no code for ends the program: the comparison takes rule sets without it.
 */
#include "common.h"

enum { /* Op of src/engine/compile/columns.ts */
  OP_END = 0, OP_GENERAL = 1, OP_MARK = 2, OP_STATE = 4, OP_SRC = 5, OP_DST = 6, OP_PROTOCOL = 7, OP_IIF = 8, OP_OIF = 9,
  OP_SRC_LOCAL = 10, OP_DST_LOCAL = 11, OP_RANDOM = 12, OP_FLAGS = 13, OP_CONSTANT = 14, OP_SET_MARK = 20, OP_DNAT = 21,
  OP_MASQUERADE = 22, OP_ACCEPT = 30, OP_DROP = 31, OP_REJECT = 32, OP_RETURN = 33, OP_JUMP = 34, OP_GOTO = 35
};
enum { ACCEPT = 0, DROP = 1, REJECT = 2, TRANSLATED = 3 };
enum { FLAG_DNAT = 1, FLAG_MASQUERADE = 2, FLAG_LOCAL = 8, FLAG_FULLY_RANDOM = 64 };
enum { STATE_INVALID = 1, STATE_NEW = 2, STATE_BIT_DNAT = 64, STATUS_DNAT = 32 };
/* Stations of a way, each followed by its operands: chain id | number of chains, ids | nothing | is prerouting or input. */
enum { STATION_CHAIN = 0, STATION_NAT = 1, STATION_CONNTRACK = 2, STATION_HOOK = 3, STATION_END = 4 };

static uint32_t seed_low, seed_high, batch_size, batches, iif_number;
static const int32_t *dst_column, *src_column, *code, *entry, *chain_start;
static const uint8_t *more, *protocols, *policies, *answers;
static const uint16_t *sport_first, *sport_last, *dport_first, *dport_last;
static const uint32_t *way_first, *way_local, *way_forward, *local;
static uint32_t locals, tests;
static const uint32_t *p_src, *p_dst, *p_id;
static const uint8_t *p_protocol;
static const uint16_t *p_sport, *p_dport;
static uint8_t *out_verdict, *out_flags;
static uint32_t *out_dst, *out_mark;
static uint16_t *out_dport;
static int32_t *stack, *entry_count, *entry_epoch;
static int32_t epoch;
static uint64_t visited;

typedef struct {
  int32_t src, dst, mark;
  uint32_t id, status, iif, oif;
  uint8_t protocol, tracked, flags, way;
  uint16_t sport, dport;
} Packet;

static int is_local(int32_t address) {
  if (address >> 24 == 127) return 1;
  for (uint32_t i = 0; i < locals; i++)
    if ((int32_t)local[i] == address) return 1;
  return 0;
}

static inline int32_t scan(const Packet *p, int32_t row, int32_t end) {
  for (; row < end; row++) {
    if (((p->dst ^ dst_column[2 * row]) & dst_column[2 * row + 1]) != 0) continue;
    if (more[row] == 0) return row;
    if (protocols[row] != 0 && protocols[row] != p->protocol) continue;
    if (p->dport < dport_first[row] || p->dport > dport_last[row]) continue;
    if (p->sport < sport_first[row] || p->sport > sport_last[row]) continue;
    if (((p->src ^ src_column[2 * row]) & src_column[2 * row + 1]) == 0) return row;
  }
  return end;
}

static void enter(int32_t chain) {
  if (entry_epoch[chain] == epoch) entry_count[chain]++;
  else {
    entry_epoch[chain] = epoch;
    entry_count[chain] = 0;
  }
}

static int run_chain(Packet *p, int32_t base) {
  int32_t depth = 0, chain = base;
  enter(chain);
  int32_t row = chain_start[chain], end = chain_start[chain + 1];
  for (;;) {
    int32_t from = row;
    row = scan(p, row, end);
    visited += (uint64_t)(row - from);
    if (row >= end) {
      if (depth == 0) return policies[base];
      depth--;
      row = stack[2 * depth];
      chain = stack[2 * depth + 1];
      end = chain_start[chain + 1];
      continue;
    }
    visited++;
    int32_t entering = -1;
    int passed = 1;
    for (const int32_t *op = code + entry[row]; passed; op += 4) {
      const int32_t a = op[1], b = op[2], negate = op[3];
      switch (op[0]) {
        case OP_END: passed = 0; break;
        case OP_MARK: passed = ((p->mark & b) == a) != negate; break;
        case OP_STATE: {
          uint32_t bits = p->tracked ? STATE_NEW | (p->status & STATUS_DNAT ? STATE_BIT_DNAT : 0) : STATE_INVALID;
          passed = (((uint32_t)a & bits) != 0) != negate;
          break;
        }
        case OP_SRC: passed = ((p->src & b) == a) != negate; break;
        case OP_DST: passed = ((p->dst & b) == a) != negate; break;
        case OP_PROTOCOL: passed = (p->protocol == a) != negate; break;
        case OP_IIF: passed = answers[p->iif * tests + (uint32_t)a]; break;
        case OP_OIF: passed = answers[p->oif * tests + (uint32_t)a]; break;
        case OP_SRC_LOCAL: passed = is_local(p->src) != negate; break;
        case OP_DST_LOCAL: passed = is_local(p->dst) != negate; break;
        case OP_RANDOM: {
          uint32_t key = draw_key(seed_low, seed_high, (uint32_t)row, (uint32_t)entry_count[chain]);
          passed = ((int32_t)(draw_with(key, p->id) & 0x7fffffffu) < a) != negate;
          break;
        }
        case OP_FLAGS: passed = ((2 & b) == a) != negate; break; /* a SYN */
        case OP_CONSTANT: passed = a == 1; break;
        case OP_SET_MARK: p->mark = (p->mark & ~a) ^ b; break;
        case OP_DNAT: {
          uint16_t port = b < 0 ? p->dport : (uint16_t)b;
          if (a != p->dst || port != p->dport) p->status |= STATUS_DNAT;
          p->dst = a;
          p->dport = port;
          p->flags |= FLAG_DNAT;
          return TRANSLATED;
        }
        case OP_MASQUERADE: p->flags |= a == 1 ? FLAG_MASQUERADE | FLAG_FULLY_RANDOM : FLAG_MASQUERADE; return TRANSLATED;
        case OP_ACCEPT: return ACCEPT;
        case OP_DROP: return DROP;
        case OP_REJECT: return REJECT;
        case OP_RETURN: row = end - 1; passed = 0; break;
        case OP_JUMP:
          stack[2 * depth] = row + 1;
          stack[2 * depth + 1] = chain;
          depth++;
          entering = a;
          passed = 0;
          break;
        case OP_GOTO: entering = a; passed = 0; break;
        default: fail("a packet reached a rule that the columns have no code for");
      }
    }
    if (entering < 0) {
      row++;
      continue;
    }
    chain = entering;
    enter(chain);
    row = chain_start[chain];
    end = chain_start[chain + 1];
  }
}

static int pass(Packet *p, const uint32_t *station) {
  for (;;) {
    int verdict = ACCEPT;
    switch (*station++) {
      case STATION_END: return ACCEPT;
      case STATION_HOOK:
        if (*station++) p->oif = 0;
        break;
      case STATION_CONNTRACK: p->tracked = 1; break;
      case STATION_CHAIN: verdict = run_chain(p, (int32_t)*station++); break;
      case STATION_NAT: {
        uint32_t count = *station++;
        for (uint32_t i = 0; i < count && verdict == ACCEPT; i++) verdict = run_chain(p, (int32_t)station[i]);
        if (verdict == TRANSLATED) verdict = ACCEPT;
        station += count;
        break;
      }
    }
    if (verdict != ACCEPT) return verdict;
  }
}

static void walk(uint32_t i) {
  Packet p = {.src = (int32_t)p_src[i], .dst = (int32_t)p_dst[i], .id = p_id[i], .iif = iif_number, .protocol = p_protocol[i],
              .sport = p_sport[i], .dport = p_dport[i]};
  epoch++;
  int verdict = pass(&p, way_first);
  if (verdict == ACCEPT) {
    p.way = is_local(p.dst) ? 1 : 2;
    p.oif = p.way == 1 ? 1 : iif_number;
    verdict = pass(&p, p.way == 1 ? way_local : way_forward);
  }
  if (p.way == 1) p.flags |= FLAG_LOCAL;
  if (verdict != ACCEPT) p.flags &= (uint8_t)~(FLAG_MASQUERADE | FLAG_FULLY_RANDOM);
  out_verdict[i] = (uint8_t)verdict;
  out_flags[i] = p.flags;
  out_dst[i] = (uint32_t)p.dst;
  out_dport[i] = p.dport;
  out_mark[i] = (uint32_t)p.mark;
}

static uint32_t run(uint32_t batch) {
  uint32_t from = batch % batches * batch_size, sum = 0;
  for (uint32_t i = from; i < from + batch_size; i++) walk(i);
  for (uint32_t i = from; i < from + batch_size; i++) sum += out_dst[i] + out_dport[i] + out_flags[i];
  return sum;
}

int main(int argc, char **argv) {
  if (argc != 2) fail("usage: walk INPUT");
  if (read_input(argv[1]) != 24) fail("this input is for another program");
  const uint32_t *parameters = input[0].words;
  seed_low = parameters[0];
  seed_high = parameters[1];
  batch_size = parameters[2];
  iif_number = parameters[3];
  tests = parameters[4];
  const uint32_t chains = parameters[5];
  dst_column = (int32_t *)input[1].words;
  src_column = (int32_t *)input[2].words;
  protocols = bytes_of(input[3]);
  sport_first = shorts_of(input[4]);
  sport_last = shorts_of(input[5]);
  dport_first = shorts_of(input[6]);
  dport_last = shorts_of(input[7]);
  more = bytes_of(input[8]);
  entry = (int32_t *)input[9].words;
  code = (int32_t *)input[10].words;
  chain_start = (int32_t *)input[11].words;
  policies = bytes_of(input[12]);
  answers = bytes_of(input[13]);
  local = input[14].words;
  locals = input[14].length;
  way_first = input[15].words;
  way_local = input[16].words;
  way_forward = input[17].words;
  p_src = input[18].words;
  p_dst = input[19].words;
  p_protocol = bytes_of(input[20]);
  p_sport = shorts_of(input[21]);
  p_dport = shorts_of(input[22]);
  p_id = input[23].words;
  const uint32_t packets = input[18].length;
  batches = packets / batch_size;
  stack = zeroed((size_t)(chains + 1) * 8);
  entry_count = zeroed((size_t)chains * 4);
  entry_epoch = zeroed((size_t)chains * 4);
  out_verdict = zeroed(packets);
  out_flags = zeroed(packets);
  out_dst = zeroed((size_t)packets * 4);
  out_mark = zeroed((size_t)packets * 4);
  out_dport = zeroed((size_t)packets * 2);
  for (uint32_t i = 0; i < packets; i++) walk(i);
  const uint64_t visited_once = visited;
  uint32_t checksum = CHECKSUM_START;
  for (uint32_t i = 0; i < packets; i++) {
    checksum = checksum_word(checksum, (uint32_t)out_verdict[i] | (uint32_t)out_flags[i] << 8 | (uint32_t)out_dport[i] << 16);
    checksum = checksum_word(checksum, out_dst[i]);
    checksum = checksum_word(checksum, out_mark[i]);
  }
  for (Request next; next_request(&next);)
    report(time_batches(run, batch_size, next.milliseconds, NULL, 0), checksum, visited_once);
  return 0;
}
