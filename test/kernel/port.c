/*
 * The way into the kernel: makes a network namespace of its own with TUN devices, puts packets in and reads back what netfilter says
 * of them. Linux only. The namespace has no name and no link to another one: it goes when this process goes.
 *
 *   port DEVICE...          prints "ready PID", then obeys lines on standard input; each answer ends with a line "."
 *   i DEVICE HEX            a raw IP packet comes in on that device (number from 0): into PREROUTING
 *   o MARK HEX              a process of the node sends it, with this mark: into OUTPUT
 *   w MILLISECONDS          waits for what comes late
 *   m TRACE LOOKUP          1 or 0: tell the trace; look the connection up after each packet
 *   f                       forgets all connections
 *   c COUNT                 makes that many answered, assured UDP connections from 100.64.0.0 + i:1 to 192.0.2.1:2; "E ERRNO" where one is refused
 *   r FAMILY                lists the rules of nf_tables with their handles: "R table chain handle" (0 all, 2 IPv4, 10 IPv6)
 * Answers to i, o and w:
 *   P DEVICE HEX            a packet leaves by that device
 *   T MARK HEADER TEXT      TRACE of x_tables (NFLOG group 0): TEXT is "TRACE: table:chain:type:number "
 *   N ID TYPE MARK HEADER VERDICT HANDLE TABLE CHAIN TO  trace of nf_tables; HEADER is "-" but in the first event of a base chain; TO: where a
 *                           jump or goto leads, else "-"
 *   C STATUS TIMEOUT TCPSTATE MARK SRC DST PROTO A B SRC DST PROTO A B    the connection of the packet put in: original, reply; "C -": none
 *   E ERRNO                 the packet could not be sent
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netfilter/nfnetlink_log.h>
#include <linux/netlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <signal.h>
#include <unistd.h>

#define DEVICES 8
/* Bytes of a packet that its log messages carry: both headers. */
#define LOGGED 64
/* skb priority of packets sent on command: tells them from the kernel's own at output. */
#define OUR_PRIORITY 77
static int tun[DEVICES], devices;
static int logs, traces, control, raw4, raw6;
static int tell_trace = 1, tell_connection = 1;
static unsigned sequence;
static unsigned char buffer[1 << 18];

static void die(const char *what) {
  fprintf(stderr, "port: %s: %s\n", what, strerror(errno));
  exit(1);
}

static void hex(const unsigned char *bytes, int count) {
  static const char digits[] = "0123456789abcdef";
  for (int i = 0; i < count; i++) {
    putchar_unlocked(digits[bytes[i] >> 4]);
    putchar_unlocked(digits[bytes[i] & 15]);
  }
}

static int nibble(char c) { return c <= '9' ? c - '0' : (c | 32) - 'a' + 10; }

static int unhex(const char *text, unsigned char *bytes) {
  int n = 0;
  for (; text[0] > ' ' && text[1] > ' '; text += 2) bytes[n++] = nibble(text[0]) << 4 | nibble(text[1]);
  return n;
}

/* ------------------------------------------------------------------ netlink */

struct message {
  struct nlmsghdr head;
  struct nfgenmsg family;
  unsigned char attributes[512];
};

static void begin(struct message *m, int subsystem, int type, int flags, int family) {
  memset(m, 0, sizeof *m);
  m->head.nlmsg_len = NLMSG_LENGTH(sizeof m->family);
  m->head.nlmsg_type = subsystem << 8 | type;
  m->head.nlmsg_flags = NLM_F_REQUEST | flags;
  m->head.nlmsg_seq = ++sequence;
  m->family.nfgen_family = family;
}

static struct nlattr *put(struct message *m, int type, const void *data, int size) {
  struct nlattr *a = (struct nlattr *)((char *)m + NLMSG_ALIGN(m->head.nlmsg_len));
  a->nla_type = type;
  a->nla_len = NLA_HDRLEN + size;
  if (size) memcpy((char *)a + NLA_HDRLEN, data, size);
  m->head.nlmsg_len = NLMSG_ALIGN(m->head.nlmsg_len) + NLA_ALIGN(a->nla_len);
  return a;
}

static struct nlattr *nest(struct message *m, int type) { return put(m, type | NLA_F_NESTED, NULL, 0); }
static void unnest(struct message *m, struct nlattr *a) { a->nla_len = (char *)m + m->head.nlmsg_len - (char *)a; }

static int netlink(unsigned group) {
  int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
  struct sockaddr_nl me = {.nl_family = AF_NETLINK};
  int size = 64 << 20;
  if (fd < 0 || bind(fd, (struct sockaddr *)&me, sizeof me) < 0) die("netlink");
  if (group && setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof group) < 0) die("netlink group");
  setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
  return fd;
}

static void transmit(int fd, struct message *m) {
  if (send(fd, m, m->head.nlmsg_len, 0) < 0) die("netlink send");
}

/* Waits for the acknowledgement; its error number. */
static int acknowledge(int fd) {
  for (;;) {
    int n = recv(fd, buffer, sizeof buffer, 0);
    if (n < 0) die("netlink receive");
    struct nlmsghdr *h = (struct nlmsghdr *)buffer;
    for (; NLMSG_OK(h, (unsigned)n); h = NLMSG_NEXT(h, n))
      if (h->nlmsg_type == NLMSG_ERROR && h->nlmsg_seq == sequence) return -((struct nlmsgerr *)NLMSG_DATA(h))->error;
  }
}

#define ATTRIBUTES 64
/* Sorts attributes by their type. */
static void parse(struct nlattr **table, void *data, int size) {
  memset(table, 0, ATTRIBUTES * sizeof *table);
  for (struct nlattr *a = data; size >= (int)NLA_HDRLEN && a->nla_len >= NLA_HDRLEN && a->nla_len <= size;) {
    int type = a->nla_type & NLA_TYPE_MASK, step = NLA_ALIGN(a->nla_len);
    if (type < ATTRIBUTES) table[type] = a;
    size -= step;
    a = (struct nlattr *)((char *)a + step);
  }
}
static void *value(struct nlattr *a) { return (char *)a + NLA_HDRLEN; }
static int length(struct nlattr *a) { return a->nla_len - NLA_HDRLEN; }
static unsigned number(struct nlattr *a) {
  uint32_t v;
  if (!a) return 0;
  memcpy(&v, value(a), 4);
  return ntohl(v);
}
static void inside(struct nlattr **table, struct nlattr *a) { parse(table, value(a), length(a)); }
static void attributes(struct nlattr **table, struct nlmsghdr *h) {
  parse(table, (char *)NLMSG_DATA(h) + NLMSG_ALIGN(sizeof(struct nfgenmsg)), h->nlmsg_len - NLMSG_LENGTH(sizeof(struct nfgenmsg)));
}

static void bind_log(void) {
  struct message m;
  struct nfulnl_msg_config_cmd command = {NFULNL_CFG_CMD_BIND};
  struct nfulnl_msg_config_mode mode = {htonl(LOGGED), NFULNL_COPY_PACKET, 0};
  uint32_t one = htonl(1);
  begin(&m, NFNL_SUBSYS_ULOG, NFULNL_MSG_CONFIG, NLM_F_ACK, AF_UNSPEC);
  put(&m, NFULA_CFG_CMD, &command, sizeof command);
  transmit(logs, &m);
  if ((errno = acknowledge(logs))) die("NFLOG group 0");
  begin(&m, NFNL_SUBSYS_ULOG, NFULNL_MSG_CONFIG, NLM_F_ACK, AF_UNSPEC);
  put(&m, NFULA_CFG_MODE, &mode, sizeof mode);
  put(&m, NFULA_CFG_QTHRESH, &one, sizeof one);
  transmit(logs, &m);
  if ((errno = acknowledge(logs))) die("NFLOG mode");
}

static void show_log(struct nlmsghdr *h) {
  struct nlattr *a[ATTRIBUTES];
  attributes(a, h);
  if (!a[NFULA_PREFIX] || !a[NFULA_PAYLOAD]) return;
  printf("T %u ", number(a[NFULA_MARK]));
  hex(value(a[NFULA_PAYLOAD]), length(a[NFULA_PAYLOAD]) < LOGGED ? length(a[NFULA_PAYLOAD]) : LOGGED);
  printf(" %.*s\n", length(a[NFULA_PREFIX]), (char *)value(a[NFULA_PREFIX]));
}

static void show_trace(struct nlmsghdr *h) {
  struct nlattr *a[ATTRIBUTES], *v[ATTRIBUTES];
  attributes(a, h);
  if (!a[NFTA_TRACE_TABLE] || !a[NFTA_TRACE_CHAIN]) return;
  printf("N %x %u %u ", number(a[NFTA_TRACE_ID]), number(a[NFTA_TRACE_TYPE]), number(a[NFTA_TRACE_MARK]));
  if (a[NFTA_TRACE_NETWORK_HEADER]) {
    int n = length(a[NFTA_TRACE_NETWORK_HEADER]);
    hex(value(a[NFTA_TRACE_NETWORK_HEADER]), n < 40 ? n : 40);
  } else putchar('-');
  int code = 0;
  const char *to = "-";
  if (a[NFTA_TRACE_VERDICT]) {
    inside(v, a[NFTA_TRACE_VERDICT]);
    code = (int)number(v[NFTA_VERDICT_CODE]);
    if (v[NFTA_VERDICT_CHAIN]) to = value(v[NFTA_VERDICT_CHAIN]);
  }
  uint64_t handle = 0;
  if (a[NFTA_TRACE_RULE_HANDLE]) memcpy(&handle, value(a[NFTA_TRACE_RULE_HANDLE]), 8);
  printf(" %d %llu %s %s %s\n", code, (unsigned long long)be64toh(handle), (char *)value(a[NFTA_TRACE_TABLE]), (char *)value(a[NFTA_TRACE_CHAIN]), to);
}

static void list_rules(int family) {
  struct message m;
  begin(&m, NFNL_SUBSYS_NFTABLES, NFT_MSG_GETRULE, NLM_F_DUMP, family);
  transmit(control, &m);
  for (;;) {
    int n = recv(control, buffer, sizeof buffer, 0);
    if (n < 0) die("rule list");
    struct nlmsghdr *h = (struct nlmsghdr *)buffer;
    for (; NLMSG_OK(h, (unsigned)n); h = NLMSG_NEXT(h, n)) {
      if (h->nlmsg_seq != sequence) continue;
      if (h->nlmsg_type == NLMSG_DONE || h->nlmsg_type == NLMSG_ERROR) return;
      struct nlattr *a[ATTRIBUTES];
      attributes(a, h);
      uint64_t handle;
      memcpy(&handle, value(a[NFTA_RULE_HANDLE]), 8);
      printf("R %s %s %llu\n", (char *)value(a[NFTA_RULE_TABLE]), (char *)value(a[NFTA_RULE_CHAIN]), (unsigned long long)be64toh(handle));
    }
  }
}

/* --------------------------------------------------------------- connections */

static void put_tuple(struct message *m, const unsigned char *p) {
  int six = p[0] >> 4 == 6, address = six ? 16 : 4;
  unsigned char protocol = six ? p[6] : p[9];
  const unsigned char *source = p + (six ? 8 : 12), *transport = p + (six ? 40 : 20);
  struct nlattr *tuple = nest(m, CTA_TUPLE_ORIG), *ip = nest(m, CTA_TUPLE_IP);
  put(m, six ? CTA_IP_V6_SRC : CTA_IP_V4_SRC, source, address);
  put(m, six ? CTA_IP_V6_DST : CTA_IP_V4_DST, source + address, address);
  unnest(m, ip);
  struct nlattr *proto = nest(m, CTA_TUPLE_PROTO);
  put(m, CTA_PROTO_NUM, &protocol, 1);
  if (protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6) {
    put(m, six ? CTA_PROTO_ICMPV6_ID : CTA_PROTO_ICMP_ID, transport + 4, 2);
    put(m, six ? CTA_PROTO_ICMPV6_TYPE : CTA_PROTO_ICMP_TYPE, transport, 1);
    put(m, six ? CTA_PROTO_ICMPV6_CODE : CTA_PROTO_ICMP_CODE, transport + 1, 1);
  } else {
    put(m, CTA_PROTO_SRC_PORT, transport, 2);
    put(m, CTA_PROTO_DST_PORT, transport + 2, 2);
  }
  unnest(m, proto);
  unnest(m, tuple);
}

static unsigned part(struct nlattr *a) {
  if (!a) return 0;
  unsigned char *v = value(a);
  return length(a) == 1 ? v[0] : (unsigned)v[0] << 8 | v[1];
}

static void show_tuple(struct nlattr *tuple) {
  struct nlattr *t[ATTRIBUTES], *ip[ATTRIBUTES], *p[ATTRIBUTES];
  inside(t, tuple);
  inside(ip, t[CTA_TUPLE_IP]);
  inside(p, t[CTA_TUPLE_PROTO]);
  for (int end = 0; end < 2; end++) {
    struct nlattr *a = ip[end ? CTA_IP_V4_DST : CTA_IP_V4_SRC] ? ip[end ? CTA_IP_V4_DST : CTA_IP_V4_SRC] : ip[end ? CTA_IP_V6_DST : CTA_IP_V6_SRC];
    putchar(' ');
    hex(value(a), length(a));
  }
  unsigned protocol = part(p[CTA_PROTO_NUM]);
  if (p[CTA_PROTO_ICMP_ID]) printf(" %u %u %u", protocol, part(p[CTA_PROTO_ICMP_ID]), part(p[CTA_PROTO_ICMP_TYPE]) << 8 | part(p[CTA_PROTO_ICMP_CODE]));
  else if (p[CTA_PROTO_ICMPV6_ID]) printf(" %u %u %u", protocol, part(p[CTA_PROTO_ICMPV6_ID]), part(p[CTA_PROTO_ICMPV6_TYPE]) << 8 | part(p[CTA_PROTO_ICMPV6_CODE]));
  else printf(" %u %u %u", protocol, part(p[CTA_PROTO_SRC_PORT]), part(p[CTA_PROTO_DST_PORT]));
}

/* Bytes of the packet that are not there count as zero: put_tuple may look at the first words of the transport header. */
static void show_connection(const unsigned char *packet) {
  struct message m;
  begin(&m, NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_GET, 0, packet[0] >> 4 == 6 ? AF_INET6 : AF_INET);
  put_tuple(&m, packet);
  transmit(control, &m);
  for (;;) {
    int n = recv(control, buffer, sizeof buffer, 0);
    if (n < 0) die("connection");
    struct nlmsghdr *h = (struct nlmsghdr *)buffer;
    if (h->nlmsg_seq != sequence) continue;
    if (h->nlmsg_type == NLMSG_ERROR) {
      printf("C -\n");
      return;
    }
    struct nlattr *a[ATTRIBUTES], *info[ATTRIBUTES], *tcp[ATTRIBUTES];
    attributes(a, h);
    int state = -1;
    if (a[CTA_PROTOINFO]) {
      inside(info, a[CTA_PROTOINFO]);
      if (info[CTA_PROTOINFO_TCP]) {
        inside(tcp, info[CTA_PROTOINFO_TCP]);
        if (tcp[CTA_PROTOINFO_TCP_STATE]) state = part(tcp[CTA_PROTOINFO_TCP_STATE]);
      }
    }
    printf("C %u %u %d %u", number(a[CTA_STATUS]), number(a[CTA_TIMEOUT]), state, number(a[CTA_MARK]));
    show_tuple(a[CTA_TUPLE_ORIG]);
    show_tuple(a[CTA_TUPLE_REPLY]);
    putchar('\n');
    return;
  }
}

static void make_connection(struct message *m, uint32_t source, int last) {
  uint32_t ends[2] = {htonl(source), htonl(0xc0000201)}, timeout = htonl(600), status = htonl(IPS_CONFIRMED | IPS_SEEN_REPLY | IPS_ASSURED);
  uint16_t ports[2] = {htons(1), htons(2)};
  unsigned char protocol = IPPROTO_UDP;
  begin(m, NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_NEW, NLM_F_CREATE | NLM_F_EXCL | (last ? NLM_F_ACK : 0), AF_INET);
  for (int reply = 0; reply < 2; reply++) {
    struct nlattr *tuple = nest(m, reply ? CTA_TUPLE_REPLY : CTA_TUPLE_ORIG), *ip = nest(m, CTA_TUPLE_IP);
    put(m, CTA_IP_V4_SRC, &ends[reply], 4);
    put(m, CTA_IP_V4_DST, &ends[!reply], 4);
    unnest(m, ip);
    struct nlattr *proto = nest(m, CTA_TUPLE_PROTO);
    put(m, CTA_PROTO_NUM, &protocol, 1);
    put(m, CTA_PROTO_SRC_PORT, &ports[reply], 2);
    put(m, CTA_PROTO_DST_PORT, &ports[!reply], 2);
    unnest(m, proto);
    unnest(m, tuple);
  }
  put(m, CTA_STATUS, &status, 4);
  put(m, CTA_TIMEOUT, &timeout, 4);
}

/* Messages go in bundles: only a refused one is answered, and the last. */
static void make_connections(unsigned count) {
  static unsigned char bundle[60000];
  size_t used = 0;
  for (unsigned i = 0; i < count; i++) {
    struct message m;
    make_connection(&m, 0x64400000 + i, i + 1 == count);
    memcpy(bundle + used, &m, m.head.nlmsg_len);
    used += NLMSG_ALIGN(m.head.nlmsg_len);
    if (used + sizeof m < sizeof bundle && i + 1 < count) continue;
    if (send(control, bundle, used, 0) < 0) die("connections");
    used = 0;
  }
  int refused = 0;
  for (int done = 0; !done;) {
    int n = recv(control, buffer, sizeof buffer, 0);
    if (n < 0) die("connections");
    struct nlmsghdr *h = (struct nlmsghdr *)buffer;
    for (; NLMSG_OK(h, (unsigned)n); h = NLMSG_NEXT(h, n)) {
      if (h->nlmsg_type != NLMSG_ERROR) continue;
      int error = -((struct nlmsgerr *)NLMSG_DATA(h))->error;
      if (error) refused = error;
      if (h->nlmsg_seq == sequence) done = 1;
    }
  }
  if (refused) printf("E %d\n", refused);
}

static void forget_connections(void) {
  for (int i = 0; i < 2; i++) {
    struct message m;
    begin(&m, NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_DELETE, NLM_F_ACK, i ? AF_INET6 : AF_INET);
    transmit(control, &m);
    if ((errno = acknowledge(control))) die("flush");
  }
}

/* ------------------------------------------------------------------- packets */

static void drain(void) {
  int n;
  for (int d = 0; d < devices; d++)
    while ((n = read(tun[d], buffer, sizeof buffer)) > 0) {
      printf("P %d ", d);
      hex(buffer, n);
      putchar('\n');
    }
  for (int s = 0; s < 2; s++)
    while ((n = recv(s ? traces : logs, buffer, sizeof buffer, MSG_DONTWAIT)) != 0) {
      if (n < 0 && errno == ENOBUFS) die("trace events were lost");
      if (n < 0) break;
      if (!tell_trace) continue;
      struct nlmsghdr *h = (struct nlmsghdr *)buffer;
      for (; NLMSG_OK(h, (unsigned)n); h = NLMSG_NEXT(h, n)) {
        if (h->nlmsg_type == (NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_PACKET)) show_log(h);
        if (h->nlmsg_type == (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_TRACE)) show_trace(h);
      }
    }
}

static void wait_for_more(int milliseconds) {
  struct pollfd fds[DEVICES + 2];
  for (;;) {
    int n = 0;
    for (; n < devices; n++) fds[n] = (struct pollfd){tun[n], POLLIN, 0};
    fds[n++] = (struct pollfd){logs, POLLIN, 0};
    fds[n++] = (struct pollfd){traces, POLLIN, 0};
    if (poll(fds, n, milliseconds) <= 0) return;
    drain();
  }
}

static void send_from_node(unsigned mark, const unsigned char *packet, int size) {
  int six = packet[0] >> 4 == 6, fd = six ? raw6 : raw4;
  struct sockaddr_in to4 = {.sin_family = AF_INET};
  struct sockaddr_in6 to6 = {.sin6_family = AF_INET6};
  if (setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof mark) < 0) die("SO_MARK");
  if (six) memcpy(&to6.sin6_addr, packet + 24, 16);
  else memcpy(&to4.sin_addr, packet + 16, 4);
  if (sendto(fd, packet, size, 0, six ? (void *)&to6 : (void *)&to4, six ? sizeof to6 : sizeof to4) < 0) printf("E %d\n", errno);
}

static void obey(char *line) {
  static unsigned char packet[70000];
  char *rest;
  switch (line[0]) {
    case 'i':
    case 'o': {
      unsigned which = strtoul(line + 1, &rest, 10);
      int size = unhex(rest + 1, packet);
      memset(packet + size, 0, 16);
      if (line[0] == 'o') send_from_node(which, packet, size);
      else if ((int)which >= devices || write(tun[which], packet, size) != size) printf("E %d\n", errno);
      drain();
      if (tell_connection) show_connection(packet);
      break;
    }
    case 'w':
      wait_for_more(atoi(line + 1));
      break;
    case 'm':
      tell_trace = strtoul(line + 1, &rest, 10);
      tell_connection = strtoul(rest, NULL, 10);
      break;
    case 'f':
      forget_connections();
      break;
    case 'c':
      make_connections(strtoul(line + 1, NULL, 10));
      break;
    case 'r':
      list_rules(atoi(line + 1));
      break;
    default:
      fprintf(stderr, "port: unknown command %s\n", line);
      exit(1);
  }
  puts(".");
}

static void open_device(const char *name) {
  struct ifreq request = {0};
  int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) die("/dev/net/tun");
  strncpy(request.ifr_name, name, IFNAMSIZ - 1);
  request.ifr_flags = IFF_TUN | IFF_NO_PI;
  if (ioctl(fd, TUNSETIFF, &request) < 0) die("TUNSETIFF");
  tun[devices++] = fd;
}

static int raw_socket(int family) {
  int one = 1, fd = socket(family, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
  int ours = OUR_PRIORITY;
  if (fd < 0) die("raw socket");
  if (setsockopt(fd, SOL_SOCKET, SO_PRIORITY, &ours, sizeof ours) < 0) die("SO_PRIORITY");
  if (family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_HDRINCL, &one, sizeof one) < 0) die("IPV6_HDRINCL");
  return fd;
}

int main(int count, char **names) {
  static char line[150000];
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (unshare(CLONE_NEWNET) < 0) die("unshare");
  for (int i = 1; i < count && i <= DEVICES; i++) open_device(names[i]);
  logs = netlink(0);
  bind_log();
  traces = netlink(NFNLGRP_NFTRACE);
  control = netlink(0);
  raw4 = raw_socket(AF_INET);
  raw6 = raw_socket(AF_INET6);
  printf("ready %d\n", getpid());
  fflush(stdout);
  while (fgets(line, sizeof line, stdin)) {
    obey(line);
    /* Answers leave together where more commands are waiting. */
    struct pollfd in = {0, POLLIN, 0};
    if (poll(&in, 1, 0) <= 0) fflush(stdout);
  }
  return 0;
}
