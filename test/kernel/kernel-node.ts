/** A node in the real kernel: a network namespace of its own, with no link to any other. */
import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from "node:child_process";
import { type Address, type Family, formatAddress, parseAddress } from "../../src/packet/address.js";
import { Node } from "../../src/packet/node.js";
import { parsePrefix } from "../../src/packet/prefix.js";
import type { Packet } from "../../src/packet/packet.js";
import { UDP } from "../../src/packet/protocol.js";
import type { Tuple } from "../../src/packet/tuple.js";
import {
  ANSWER,
  type ChainLengths,
  type Handles,
  type Observation,
  readHandles,
  readObservation,
  TRACE_TABLE,
} from "./observation.js";
import { encodePacket, type WireExtras } from "./wire.js";

/** The two iptables, and nftables by itself. */
export type Backend = "legacy" | "nft" | "nftables";

/** eth0 holds the default route and the node's first address; tun1 a route and an address of its own. */
export const DEVICES = ["eth0", "tun1"] as const;
const NETWORK = {
  ip: { addresses: ["10.200.0.1", "10.201.0.1"], route: "10.64.0.0/10" },
  ip6: { addresses: ["fd00:200::1", "fd00:201::1"], route: "fd00:64::/32" },
} as const;
/**
 * skb priority of packets a process of the node sends on our behalf. All else at output is the kernel's own: answers of REJECT, resets, echo
 * replies. They are told and dropped before any rule sees them, or they would move counters and connections.
 */
const OURS = 77;

const TRACE_RULES = `table inet ${TRACE_TABLE} {
  chain prerouting { type filter hook prerouting priority -400; policy accept; meta nftrace set 1; }
  chain output { type filter hook output priority -400; policy accept;
    meta priority 0:${OURS.toString(16)} meta nftrace set 1 accept
    log group 0 prefix "${ANSWER}" drop
  }
  chain input { type filter hook input priority 500; ct state invalid; }
}
`;

/** The tuple of the i-th connection of makeConnections. */
export function filler(i: number): Tuple {
  return { src: 0x64400000 + i, dst: 0xc0000201, protocol: UDP, sport: 1, dport: 2 };
}

export interface Injection {
  readonly packet: Packet;
  readonly extras?: WireExtras;
}

export class KernelNode {
  private readonly port: ChildProcessWithoutNullStreams;
  private pid = 0;
  private received = "";
  private lines: string[] = [];
  private readonly waiting: ((lines: string[]) => void)[] = [];
  private sent = 0;
  private handles: Handles | undefined;
  private lengths: ChainLengths = () => 0;
  private failure: Error | undefined;
  private addressesAdded: string[] = [];
  /** The nftables tables that were loaded: family and name. */
  private tables: string[] = [];
  /** The project's picture of the node. */
  node: Node;

  private constructor(
    readonly family: Family,
    readonly backend: Backend,
  ) {
    const program = process.env.CHAINWALK_KERNEL_PORT;
    if (program === undefined) throw new Error("port.c was not compiled; run npm run test:kernel");
    this.port = spawn(program, [...DEVICES]);
    this.port.stdout.setEncoding("latin1");
    this.node = new Node();
  }

  static async start(family: Family, backend: Backend): Promise<KernelNode> {
    const kernel = new KernelNode(family, backend);
    const ready = new Promise<string[]>((resolve) => kernel.waiting.push(resolve));
    kernel.listen();
    const [line] = await ready;
    kernel.pid = Number(line!.split(" ")[1]);
    kernel.setUp();
    return kernel;
  }

  /** Runs a program in the namespace; its standard output. Throws where it fails. */
  run(command: readonly string[], input = ""): string {
    const inside = ["--net", `--target=${this.pid}`, ...command];
    const { status, stdout, stderr, error } = spawnSync("nsenter", inside, {
      input,
      encoding: "utf8",
      maxBuffer: 2 ** 28,
    });
    if (status !== 0) throw new Error(`${command.join(" ")}: ${error?.message ?? stderr}`);
    return stdout;
  }

  /** Whether the kernel and its tools accept a rule set; why not, otherwise. */
  refusal(text: string): string | undefined {
    const command =
      this.backend === "nftables" ? ["nft", "-c", "-f", "-"] : [this.tool("restore"), "--test", ...this.waitOption()];
    const inside = ["--net", `--target=${this.pid}`, ...command];
    const input = this.backend === "nftables" ? this.deletions() + text : text;
    const { status, stderr } = spawnSync("nsenter", inside, { input, encoding: "utf8" });
    return status === 0 ? undefined : stderr;
  }

  /** Loads a rule set. Tables that an iptables text does not name stay as they are; an nftables text takes the place of what was there. */
  async load(text: string, lengths: ChainLengths): Promise<void> {
    if (this.backend === "nftables") {
      this.run(["nft", "-f", "-"], this.deletions() + text);
      this.tables = [...text.matchAll(/^table (\S+ \S+) \{/gm)].map((match) => match[1]!);
    } else this.run([this.tool("restore"), "--counters", ...this.waitOption()], text);
    this.lengths = lengths;
    if (this.backend !== "legacy") {
      const all = this.backend === "nftables" ? 0 : this.family === "ip" ? 2 : 10;
      const [lines] = await this.ask([`r ${all}`]);
      this.handles = readHandles(lines!);
    }
  }

  /** Takes away the nftables tables that were loaded. */
  private deletions(): string {
    return this.tables.map((table) => `delete table ${table}\n`).join("");
  }

  /** The rule set as the kernel has it, with counters. */
  save(): string {
    if (this.backend === "nftables")
      return this.tables.map((table) => this.run(["nft", `list table ${table}`])).join("");
    return this.run([this.tool("save"), "-c"]);
  }

  /** Gives the node these addresses besides loopback instead of its own; the first is what MASQUERADE picks. */
  setAddresses(addresses: readonly Address[]): void {
    for (const address of this.addressesAdded) this.ip("addr", "del", address, "dev", "eth0");
    this.addressesAdded = [];
    const own = addresses.filter((address) => (typeof address === "number") === (this.family === "ip"));
    const length = this.family === "ip" ? 32 : 128;
    for (const [i, address] of own.entries()) {
      const text = `${formatAddress(address)}/${length}`;
      const nodad = this.family === "ip6" ? ["nodad"] : [];
      // The first address is the newest for IPv6 source selection: the others are deprecated, so that it is preferred.
      const deprecated = this.family === "ip6" && i > 0 ? ["preferred_lft", "0"] : [];
      this.ip("addr", "add", text, "dev", "eth0", ...nodad, ...deprecated);
      this.addressesAdded.push(text);
    }
    // Without an address the device has lost its routes.
    this.ip("route", "replace", "default", "dev", "eth0");
    const { route, addresses: ours } = NETWORK[this.family];
    const second = parseAddress(ours[1])!;
    this.node = new Node([...own, second], [{ ...parsePrefix(route)!, oif: "tun1", source: second }]);
  }

  sysctl(settings: Readonly<Record<string, string | number>>): void {
    this.run(["sysctl", "-qw", ...Object.entries(settings).map(([name, value]) => `${name}=${value}`)]);
  }

  /** Puts packets in, one after the other, and says what became of each. */
  async send(injections: readonly Injection[]): Promise<Observation[]> {
    const names = injections.map(() => (this.sent++ % 0xfffe) + 1);
    const answers = await this.ask(
      injections.map(({ packet, extras }, i) => {
        const bytes = encodePacket(packet, names[i]!, extras).toString("hex");
        if (packet.entrance === "output") return `o ${packet.mark} ${bytes}`;
        const device = DEVICES.indexOf(packet.iif as (typeof DEVICES)[number]);
        if (device < 0) throw new RangeError(`no device ${packet.iif}`);
        return `i ${device} ${bytes}`;
      }),
    );
    return answers.map((lines, i) => readObservation(lines, names[i]!, this.lengths, this.handles));
  }

  /** Whether traces are told and connections looked up; without, packets go through faster. */
  async listenTo(trace: boolean, connections: boolean): Promise<void> {
    await this.ask([`m ${Number(trace)} ${Number(connections)}`]);
    const verb = trace
      ? TRACE_RULES
      : `table inet ${TRACE_TABLE} {
  chain input { type filter hook input priority 500; ct state invalid; }
  chain output { type filter hook output priority -400; policy accept; meta priority != 0:${OURS.toString(16)} drop; }
}
`;
    this.run(["nft", "-f", "-"], `delete table inet ${TRACE_TABLE}\n${verb}`);
  }

  /** Makes ipsets, as `ipset save` prints them. They must not be there yet. */
  makeSets(text: string): void {
    this.run(["ipset", "restore"], text);
  }

  /** Makes connections without packets: answered, assured UDP flows from `filler(i)`. Throws where the kernel refuses one. */
  async makeConnections(count: number): Promise<void> {
    const [lines] = await this.ask([`c ${count}`]);
    if (lines!.length > 0) throw new Error(`the kernel made fewer than ${count} connections: ${lines!.join(" ")}`);
  }

  async forgetConnections(): Promise<void> {
    await this.ask(["f"]);
  }

  stop(): void {
    this.port.kill("SIGKILL");
  }

  /** The lines that answer each command. */
  private ask(commands: readonly string[]): Promise<string[][]> {
    if (this.failure !== undefined) throw this.failure;
    const answers = commands.map(() => new Promise<string[]>((resolve) => this.waiting.push(resolve)));
    this.port.stdin.write(commands.map((command) => `${command}\n`).join(""));
    return Promise.race([
      Promise.all(answers),
      new Promise<never>((_, reject) => this.port.once("close", () => reject(this.failure ?? new Error("port ended")))),
    ]);
  }

  private listen(): void {
    let errors = "";
    this.port.stderr.on("data", (data: Buffer) => (errors += data.toString()));
    this.port.on("close", () => (this.failure = new Error(errors || "port.c has ended")));
    this.port.setMaxListeners(0);
    this.port.stdout.on("data", (data: string) => {
      this.received += data;
      const lines = this.received.split("\n");
      this.received = lines.pop()!;
      for (const line of lines) {
        if (line === "." || line.startsWith("ready ")) {
          this.waiting.shift()!(line === "." ? this.lines : [line]);
          this.lines = [];
        } else this.lines.push(line);
      }
    });
  }

  private setUp(): void {
    const six = this.family === "ip6";
    const per = (device: string): Record<string, number> =>
      six
        ? { [`net.ipv6.conf.${device}.accept_dad`]: 0, [`net.ipv6.conf.${device}.accept_ra`]: 0 }
        : {
            [`net.ipv4.conf.${device}.rp_filter`]: 0,
            [`net.ipv4.conf.${device}.accept_local`]: 1,
            [`net.ipv4.conf.${device}.route_localnet`]: 1,
            [`net.ipv4.conf.${device}.send_redirects`]: 0,
          };
    if (!six) this.sysctl({ "net.ipv6.conf.all.disable_ipv6": 1, "net.ipv6.conf.default.disable_ipv6": 1 });
    for (const device of DEVICES) this.ip("link", "set", device, "addrgenmode", "none");
    this.ip("link", "set", "lo", "up");
    for (const device of DEVICES) this.ip("link", "set", device, "up");
    this.sysctl({
      ...["all", "default", "lo", ...DEVICES].map(per).reduce((a, b) => ({ ...a, ...b })),
      [six ? "net.ipv6.conf.all.forwarding" : "net.ipv4.ip_forward"]: 1,
      [six ? "net.ipv6.icmp.ratelimit" : "net.ipv4.icmp_ratelimit"]: 0,
      "net.ipv4.icmp_msgs_per_sec": 10_000_000,
      "net.ipv4.icmp_msgs_burst": 1_000_000,
      [`net.netfilter.nf_log.${six ? 10 : 2}`]: "nfnetlink_log",
      "net.netfilter.nf_conntrack_log_invalid": 0,
    });
    const { addresses, route } = NETWORK[this.family];
    this.ip("addr", "add", `${addresses[1]}/${six ? 128 : 32}`, "dev", "tun1", ...(six ? ["nodad"] : []));
    this.setAddresses([parseAddress(addresses[0])!]);
    this.ip("route", "add", route, "dev", "tun1");
    this.run(["nft", "-f", "-"], TRACE_RULES);
    this.awaitDevices();
  }

  /** The first packets are lost while a device is not yet up. */
  private awaitDevices(): void {
    for (let i = 0; i < 100; i++) {
      const states = this.ip("-o", "link")
        .split("\n")
        .filter((line) => DEVICES.some((device) => line.includes(` ${device}:`)));
      if (states.every((line) => /state (UP|UNKNOWN)/.test(line))) return;
      spawnSync("sleep", ["0.05"]);
    }
    throw new Error(`the devices do not come up: ${this.ip("link")}`);
  }

  private ip(...words: string[]): string {
    return this.run(
      ["ip", this.family === "ip" ? "-4" : "-6", ...words].filter(
        (word) => !(words.includes("link") && /^-[46]$/.test(word)),
      ),
    );
  }

  private tool(what: "save" | "restore"): string {
    return `${this.family === "ip" ? "iptables" : "ip6tables"}-${this.backend}-${what}`;
  }

  private waitOption(): string[] {
    return this.backend === "legacy" ? ["-w", "10"] : [];
  }
}
