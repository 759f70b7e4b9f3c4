import { z } from "zod";
import { Conversation, type Duration, runProgram } from "./programs.js";

/** Packets of a batch: a sample is the mean over one. The device of the namespace holds some more. */
export const BATCH = 64;

const DEVICE = "eth0";
/** The node of a synthetic cluster. */
const ADDRESS = "192.168.0.2";

const sent = z.object({
  /** Nanoseconds of CPU time per packet, each the mean over one batch. */
  samples: z.array(z.number().positive()).min(1),
  /** CPU time over wall time of the timed batches. */
  cpuShare: z.number().nonnegative(),
  /** Packets, warming up included: sent, come out again, with another destination, with another source. */
  sent: z.number(),
  returned: z.number(),
  translated: z.number(),
  masqueraded: z.number(),
});
export type Sent = z.infer<typeof sent>;

/**
 * A node in the real kernel: a network namespace without a name and without a link to any other, which goes when its process goes. Packets
 * come in through a TUN device, as those of pods and other nodes do, and leave by it: bench/kernel/sender.c.
 */
export class KernelNode {
  private constructor(private readonly sender: Conversation) {}

  static async start(program: string): Promise<KernelNode> {
    const node = new KernelNode(await Conversation.start([program]));
    const conf = (device: string): string[] =>
      ["rp_filter=0", "accept_local=1", "send_redirects=0"].map((setting) => `net.ipv4.conf.${device}.${setting}`);
    await node.run([
      "sysctl",
      "-qw",
      "net.ipv6.conf.all.disable_ipv6=1",
      "net.ipv4.ip_forward=1",
      ...["all", "default", DEVICE].flatMap(conf),
    ]);
    const links = [`link set lo up`, `link set ${DEVICE} up`, `addr add ${ADDRESS}/32 dev ${DEVICE}`];
    for (const words of [...links, `route add default dev ${DEVICE}`]) await node.run(["ip", ...words.split(" ")]);
    return node;
  }

  /** Runs a program in the namespace. */
  run(words: readonly string[], input?: string): Promise<Duration> {
    return runProgram(["nsenter", "--net", `--target=${this.sender.pid}`, "--", ...words], input);
  }

  /** Takes the packets to send from a file, as `writePackets` writes it. */
  async take(packets: string): Promise<void> {
    await this.sender.ask(`p ${packets}`);
  }

  /** Sends each packet once, as the first of its connection. */
  async sendFirst(): Promise<Sent> {
    return sent.parse(await this.sender.ask(`first ${BATCH}`));
  }

  /** Opens connections, answers included, and sends so many batches of their later packets. */
  async sendEstablished(batches: number): Promise<Sent> {
    return sent.parse(await this.sender.ask(`established ${BATCH} ${batches}`));
  }

  stop(): Promise<void> {
    return this.sender.stop();
  }
}
