/** Time-outs of connections, in seconds, named as the sysctls net.netfilter.nf_conntrack_* are. */
export interface Timeouts {
  readonly tcp: TcpTimeouts;
  /** One packet seen, or answered but younger than two seconds. */
  readonly udp: number;
  readonly udpStream: number;
  readonly icmp: number;
  /** sctp: an INIT alone, the rest of the handshake, and the association itself. */
  readonly sctpClosed: number;
  readonly sctpCookieWait: number;
  readonly sctpCookieEchoed: number;
  readonly sctpEstablished: number;
  readonly generic: number;
}

export interface TcpTimeouts {
  readonly synSent: number;
  readonly synRecv: number;
  readonly established: number;
  readonly finWait: number;
  readonly closeWait: number;
  readonly lastAck: number;
  readonly timeWait: number;
  readonly close: number;
  /** Simultaneous open. */
  readonly synSent2: number;
  /** At most this long while nothing has been acknowledged: a connection picked up in mid-stream, before its first answer. */
  readonly unacknowledged: number;
}

/** The kernel's defaults (net/netfilter/nf_conntrack_proto_*.c). */
export const KERNEL_TIMEOUTS: Timeouts = {
  tcp: {
    synSent: 120,
    synRecv: 60,
    established: 432_000,
    finWait: 120,
    closeWait: 60,
    lastAck: 30,
    timeWait: 120,
    close: 10,
    synSent2: 120,
    unacknowledged: 300,
  },
  udp: 30,
  udpStream: 120,
  icmp: 30,
  sctpClosed: 10,
  sctpCookieWait: 3,
  sctpCookieEchoed: 3,
  sctpEstablished: 210,
  generic: 600,
};

/** What kube-proxy sets on a node (KubeProxyConntrackConfiguration: tcpEstablishedTimeout 24h, tcpCloseWaitTimeout 1h). */
export const KUBE_PROXY_TIMEOUTS: Timeouts = {
  ...KERNEL_TIMEOUTS,
  tcp: { ...KERNEL_TIMEOUTS.tcp, established: 86_400, closeWait: 3600 },
};

export const timeoutPresets = { kernel: KERNEL_TIMEOUTS, "kube-proxy": KUBE_PROXY_TIMEOUTS } as const;
export type TimeoutPreset = keyof typeof timeoutPresets;

/** kube-proxy sets nf_conntrack_max to 32768 a core, and to no less than 131072. */
export function kubeProxyMaxEntries(cores: number): number {
  return Math.max(32_768 * cores, 131_072);
}
