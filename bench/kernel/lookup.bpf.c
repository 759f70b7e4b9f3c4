/*
 * The lookup in the kernel's own eBPF, for BPF_PROG_TEST_RUN: a service map (hash) gives the range of a service's backends, a random slot
 * of it is read from the array of backends. The maps are filled from the compiled tables (src/engine/compile/services.ts) by ebpf.c, which
 * also gives them their sizes. Each program writes what it found, so that no work can be left out.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct service_key {
  __u32 address;
  __u16 port;
  __u8 protocol;
  __u8 zero;
};

struct service {
  __u32 first;
  __u32 count;
};

struct backend {
  __u32 address;
  __u32 port;
};

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 1);
  __type(key, struct service_key);
  __type(value, struct service);
} services SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct backend);
} backends SEC(".maps");

/* What packets look up, in turn: the same packets as for the other variants. */
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct service_key);
} packets SEC(".maps");

/* Written by ebpf.c: packets less one, which are a power of two. */
volatile __u32 packet_mask = 0;
/* Read by ebpf.c. */
volatile __u32 turn = 0;
volatile __u32 misses = 0;
volatile __u32 picked_address = 0;
volatile __u32 picked_port = 0;

static __always_inline struct service_key *next_packet(void) {
  __u32 index = turn++ & packet_mask;
  return bpf_map_lookup_elem(&packets, &index);
}

/* What is subtracted: takes the next packet and looks nothing up. */
SEC("tc")
int empty(struct __sk_buff *skb) {
  struct service_key *key = next_packet();
  if (key) picked_address = key->address;
  return 0;
}

SEC("tc")
int pick(struct __sk_buff *skb) {
  struct service_key *key = next_packet();
  struct service *service = key ? bpf_map_lookup_elem(&services, key) : 0;
  if (!service || service->count == 0) {
    misses++;
    return 0;
  }
  __u32 slot = service->first + bpf_get_prandom_u32() % service->count;
  struct backend *backend = bpf_map_lookup_elem(&backends, &slot);
  if (!backend) {
    misses++;
    return 0;
  }
  picked_address = backend->address;
  picked_port = backend->port;
  return 0;
}

char LICENSE[] SEC("license") = "Apache-2.0";
