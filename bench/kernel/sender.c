/*
 * Sends packets into a network namespace of its own and takes the time. Linux, root. The namespace has no name and no link to another:
 * it goes when this process goes, and this process goes with the one that started it.
 *
 *   sender                    prints "ready PID", then obeys lines on standard input, and answers each with one line
 *   p FILE                    takes packets from a file (common.h): source, destination, source port, destination port
 *   first BATCH               sends each packet once, as the first of its connection: a JSON object, see `answer`
 *   established BATCH COUNT   opens connections by the first packets of the file, then sends COUNT batches of packets of theirs
 *
 * Packets are written to the TUN device eth0, so they pass PREROUTING, routing, FORWARD and POSTROUTING before write() returns, in this
 * process's time: the clock is that of its CPU time, which stands still while others have the CPU. What comes out is read and looked at
 * between batches, which is not timed. Connections are forgotten from time to time, not timed either.
 */
#define _GNU_SOURCE
#include "../reference/common.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define IP_HEADER 20
#define TCP_HEADER 20
#define LENGTH (IP_HEADER + TCP_HEADER)
#define SYN 2
#define ACK 16
/* Batches sent before the clock is looked at. */
#define WARM_UP 4
/* The device holds no more packets than this that nobody has read. */
#define MOST_BATCH 256
/* Connections are forgotten when so many are open: the table of the machine is one for all namespaces. */
#define MOST_CONNECTIONS 1024
#define MOST_PACKETS 65535

typedef struct {
  uint8_t bytes[LENGTH];
} Packet;

static int tun, conntrack;
static Packet packets[MOST_PACKETS];
static uint32_t packet_count;
static uint64_t sent, returned, translated, masqueraded;

static void die(const char *what) {
  fprintf(stderr, "sender: %s: %s\n", what, strerror(errno));
  exit(1);
}

/* ------------------------------------------------------------------ packets */

static void put16(uint8_t *at, uint32_t value) { at[0] = value >> 8; at[1] = value; }
static void put32(uint8_t *at, uint32_t value) { put16(at, value >> 16); put16(at + 2, value); }
static uint32_t get16(const uint8_t *at) { return at[0] << 8 | at[1]; }
static uint32_t get32(const uint8_t *at) { return get16(at) << 16 | get16(at + 2); }

/* The Internet checksum (RFC 1071) of an even number of bytes. */
static uint32_t checksum(const uint8_t *bytes, uint32_t length, uint32_t sum) {
  for (uint32_t i = 0; i < length; i += 2) sum += get16(bytes + i);
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  return ~sum & 0xffff;
}

/* A TCP segment without payload. Each side has sent its SYN, number 1, and nothing else. `name` is its IPv4 identification, which no translation touches. */
static Packet make_packet(uint32_t name, uint32_t src, uint32_t dst, uint32_t sport, uint32_t dport, int flags) {
  Packet packet = {{0}};
  uint8_t *ip = packet.bytes, *tcp = ip + IP_HEADER;
  ip[0] = 0x45;
  put16(ip + 2, LENGTH);
  put16(ip + 4, name);
  ip[8] = 64;
  ip[9] = IPPROTO_TCP;
  put32(ip + 12, src);
  put32(ip + 16, dst);
  put16(ip + 10, checksum(ip, IP_HEADER, 0));
  put16(tcp, sport);
  put16(tcp + 2, dport);
  put32(tcp + 4, flags & SYN ? 1 : 2);
  put32(tcp + 8, flags & ACK ? 2 : 0);
  tcp[12] = 0x50;
  tcp[13] = flags;
  put16(tcp + 14, 0x7000);
  /* The pseudo header: addresses, protocol, length. */
  put16(tcp + 16, checksum(tcp, TCP_HEADER, get16(ip + 12) + get16(ip + 14) + get16(ip + 16) + get16(ip + 18) + IPPROTO_TCP + TCP_HEADER));
  return packet;
}

static void read_packets(const char *path) {
  if (read_input(path) != 4 || input[0].length > MOST_PACKETS || input[0].length == 0) fail("not a file of packets");
  packet_count = input[0].length;
  for (uint32_t i = 0; i < packet_count; i++)
    packets[i] = make_packet(i, input[0].words[i], input[1].words[i], input[2].words[i], input[3].words[i], SYN);
  for (int i = 0; i < 4; i++) free(input[i].words);
}

static inline void send_packet(const Packet *packet) {
  if (write(tun, packet->bytes, LENGTH) != LENGTH) die("write to the TUN device");
}

/* Reads what came out. What is not translated still goes where it was sent. Gives the last packet, by its length. */
static int drain(uint8_t *last) {
  static uint8_t bytes[2048];
  int length = 0, n;
  while ((n = read(tun, bytes, sizeof bytes)) > 0) {
    if (n < IP_HEADER || bytes[0] >> 4 != 4) continue;
    length = n;
    const uint32_t name = get16(bytes + 4);
    returned++;
    if (name >= packet_count) continue;
    translated += memcmp(bytes + 16, packets[name].bytes + 16, 4) != 0;
    masqueraded += memcmp(bytes + 12, packets[name].bytes + 12, 4) != 0;
    if (last) memcpy(last, bytes, n < LENGTH ? n : LENGTH);
  }
  return length;
}

static void forget_connections(void) {
  struct {
    struct nlmsghdr head;
    struct nfgenmsg family;
  } message = {{sizeof message, NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_DELETE, NLM_F_REQUEST | NLM_F_ACK, 1, 0}, {AF_INET, 0, 0}};
  static uint8_t reply[4096];
  if (send(conntrack, &message, sizeof message, 0) < 0 || recv(conntrack, reply, sizeof reply, 0) < 0) die("conntrack");
  const struct nlmsghdr *head = (struct nlmsghdr *)reply;
  if (head->nlmsg_type == NLMSG_ERROR && (errno = -((struct nlmsgerr *)NLMSG_DATA(head))->error)) die("conntrack");
}

/* ---------------------------------------------------------------- measuring */

/* `sent`, `returned`, `translated`, `masqueraded`: packets of the timed part and of the warming up. */
static void answer(Samples samples) {
  printf("{\"samples\":[");
  for (uint32_t i = 0; i < samples.count; i++) printf(i ? ",%.1f" : "%.1f", samples.ns[i]);
  printf("],\"cpuShare\":%.3f,\"sent\":%llu,\"returned\":%llu,\"translated\":%llu,\"masqueraded\":%llu}\n", samples.cpu_share,
         (unsigned long long)sent, (unsigned long long)returned, (unsigned long long)translated, (unsigned long long)masqueraded);
}

/* Sends `batches` batches of a pool, round and round; `most` packets at most between two flushes (0: no flush). */
static Samples send_batches(const Packet *pool, uint32_t count, uint32_t batch, uint32_t batches, uint32_t most) {
  static double ns[MOST_PACKETS];
  Samples samples = {ns, 0, 0};
  uint32_t next = 0, open = 0;
  uint64_t wall = 0, cpu = 0;
  sent = returned = translated = masqueraded = 0;
  for (uint32_t b = 0; b < batches + WARM_UP && b < MOST_PACKETS; b++) {
    if (most && (b == WARM_UP || open + batch > most)) {
      forget_connections();
      open = 0;
    }
    if (b == WARM_UP) next = 0;
    const uint64_t from_wall = now_ns(), from = read_clock(CLOCK_PROCESS_CPUTIME_ID);
    for (uint32_t i = 0; i < batch; i++) {
      send_packet(&pool[next]);
      if (++next == count) next = 0;
    }
    const uint64_t took = read_clock(CLOCK_PROCESS_CPUTIME_ID) - from;
    if (b >= WARM_UP) {
      wall += now_ns() - from_wall;
      cpu += took;
      samples.ns[samples.count++] = (double)took / batch;
    }
    open += batch;
    sent += batch;
    drain(NULL);
  }
  samples.cpu_share = wall ? (double)cpu / wall : 0;
  return samples;
}

/* Opens a connection for each packet: packet, answer, and a third, so that TCP is established. Gives the packets that may follow. */
static uint32_t open_connections(Packet *later, uint32_t most) {
  uint8_t out[LENGTH];
  const uint32_t count = packet_count < most ? packet_count : most;
  forget_connections();
  for (uint32_t i = 0; i < count; i++) {
    const uint8_t *ip = packets[i].bytes;
    send_packet(&packets[i]);
    if (drain(out) == 0) fail("the first packet of a connection did not come out");
    const Packet reply = make_packet(packet_count, get32(out + 16), get32(out + 12), get16(out + 22), get16(out + 20), SYN | ACK);
    later[i] = make_packet(i, get32(ip + 12), get32(ip + 16), get16(ip + 20), get16(ip + 22), ACK);
    send_packet(&reply);
    if (drain(NULL) == 0) fail("an answer did not come out");
    send_packet(&later[i]);
    if (drain(NULL) == 0) fail("the third packet of a connection did not come out");
  }
  return count;
}

/* The first packets are lost while the device is not yet up: waits for it, five seconds at most. */
static void await_device(void) {
  struct ifreq request = {.ifr_name = "eth0"};
  const int any = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  for (int tries = 0; any >= 0 && tries < 500; tries++) {
    if (ioctl(any, SIOCGIFFLAGS, &request) == 0 && request.ifr_flags & IFF_RUNNING) {
      close(any);
      return;
    }
    usleep(10000);
  }
  fail("the device eth0 does not come up");
}

static void obey(char *line) {
  static Packet later[MOST_CONNECTIONS];
  unsigned batch, batches;
  line[strcspn(line, "\n")] = 0;
  if (line[0] == 'p' && line[1] == ' ') {
    await_device();
    read_packets(line + 2);
    puts("{}");
  } else if (sscanf(line, "first %u", &batch) == 1 && batch > 0 && batch <= MOST_BATCH) {
    answer(send_batches(packets, packet_count, batch, packet_count / batch, MOST_CONNECTIONS));
    forget_connections();
  } else if (sscanf(line, "established %u %u", &batch, &batches) == 2 && batch > 0 && batch <= MOST_BATCH) {
    const uint32_t count = open_connections(later, MOST_CONNECTIONS);
    answer(send_batches(later, count, batch, batches, 0));
    forget_connections();
  } else {
    fprintf(stderr, "sender: unknown command %s\n", line);
    exit(1);
  }
}

static void open_device(void) {
  struct ifreq request = {0};
  tun = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (tun < 0) die("/dev/net/tun");
  strncpy(request.ifr_name, "eth0", IFNAMSIZ - 1);
  request.ifr_flags = IFF_TUN | IFF_NO_PI;
  if (ioctl(tun, TUNSETIFF, &request) < 0) die("TUNSETIFF");
}

int main(void) {
  static char line[4096];
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (unshare(CLONE_NEWNET) < 0) die("unshare");
  open_device();
  conntrack = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
  if (conntrack < 0) die("netlink");
  printf("ready %d\n", getpid());
  fflush(stdout);
  while (fgets(line, sizeof line, stdin)) {
    obey(line);
    fflush(stdout);
  }
  return 0;
}
