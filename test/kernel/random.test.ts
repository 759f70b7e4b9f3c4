import * as fc from "fast-check";
import { afterAll, beforeAll, describe, it } from "vitest";
import { type Family, parseAddress } from "../../src/packet/address.js";
import { makePacket, type Packet, tupleOf } from "../../src/packet/packet.js";
import { ICMP, ICMPV6, isIcmp, SCTP, TCP, TcpFlag } from "../../src/packet/protocol.js";
import { formatTuple } from "../../src/packet/tuple.js";
import { SETS, words, formatRuleSet, type RandomPacket, randomPacket, randomRuleSet } from "./arbitrary.js";
import { type Backend, KernelNode } from "./kernel-node.js";
import { type Exchange, readSets, Session } from "./session.js";

/** Rule sets in all, over the four pairs of backend and family. */
const RULESETS = Number(process.env.CHAINWALK_KERNEL_RULESETS ?? 300);
/** On average, for each rule set. */
const PACKETS = 50;
const ANSWER = TcpFlag.SYN | TcpFlag.ACK;
const seed = Number(process.env.CHAINWALK_SEED ?? 20260301);

/** The packet a plan stands for; undefined where there is nothing to follow. */
function packetOf(plan: RandomPacket, before: readonly Exchange[], kernel: KernelNode): Packet | undefined {
  const { node } = kernel;
  if (plan.kind === "fresh") {
    const { iif, ...fields } = plan;
    const [src, dst] = [parseAddress(plan.src)!, parseAddress(plan.dst)!];
    return iif === ""
      ? makePacket({ ...fields, src, dst, entrance: "output", iif: "" })
      : makePacket({ ...fields, src, dst, iif, mark: 0 });
  }
  const earlier = before.at(-plan.back);
  if (earlier === undefined) return undefined;
  const { packet } = earlier.injection;
  if (packet.protocol === SCTP) return undefined; // its chunks are not modelled, and every packet here is an INIT
  if (plan.kind === "error") return errorAbout(earlier, plan, kernel);
  const tcpFlags = packet.protocol === TCP ? plan.tcpFlags : 0;
  if (plan.kind === "again") return { ...packet, tcpFlags };
  const { entry } = earlier.seen;
  if (entry === undefined) return undefined;
  const { src } = entry.reply;
  return makePacket({
    ...entry.reply,
    tcpFlags: isIcmp(packet.protocol) ? 0 : tcpFlags,
    ...(node.isLocal(src) ? { entrance: "output" as const, iif: "" } : { iif: node.route(src).oif }),
  });
}

function errorAbout(
  earlier: Exchange,
  plan: Extract<RandomPacket, { kind: "error" }>,
  kernel: KernelNode,
): Packet | undefined {
  const { left } = earlier.seen;
  if (left === undefined || left.packet.inner !== undefined) return undefined;
  const inner = tupleOf(left.packet);
  const src = plan.router ? parseAddress(words[kernel.family].pods[3]!)! : inner.dst;
  return makePacket({
    src,
    dst: inner.src,
    protocol: kernel.family === "ip" ? ICMP : ICMPV6,
    dport: plan.type,
    tcpFlags: 0,
    iif: kernel.node.route(src).oif,
    inner,
  });
}

/**
 * Random segments carry no true sequence numbers. Only in one place would the kernel look at them: a SYN/ACK in answer to a SYN that it has let
 * through without believing in it. That is sent as an ACK here; connections.test.ts has it with true numbers.
 */
function withoutNumbers(packet: Packet, session: Session): Packet {
  if (packet.protocol !== TCP || (packet.tcpFlags & ANSWER) !== ANSWER) return packet;
  const state = session.project.stateOf(packet, Date.now());
  return state === undefined || state.startsWith("SYN_SENT") ? packet : { ...packet, tcpFlags: TcpFlag.ACK };
}

async function compareOne(kernel: KernelNode, text: string, plans: readonly RandomPacket[]): Promise<void> {
  const session = await Session.open(kernel, text, { ipsets: readSets(SETS[kernel.family]) });
  const exchanges: Exchange[] = [];
  for (const plan of plans) {
    const planned = packetOf(plan, exchanges, kernel);
    if (planned === undefined) continue;
    const packet = withoutNumbers(planned, session);
    const before = exchanges
      .slice(-3)
      .map(
        ({ injection }) =>
          `after ${formatTuple(injection.packet)} flags ${injection.packet.tcpFlags} in by ${injection.packet.iif || "the node"}\n`,
      );
    exchanges.push(...(await session.agree([{ packet }], before.join(""))));
  }
}

function register(family: Family, backend: Backend): void {
  describe(`random rule sets, ${family} ${backend}`, () => {
    let kernel: KernelNode;
    beforeAll(async () => {
      kernel = await KernelNode.start(family, backend);
      kernel.makeSets(SETS[family]);
    });
    afterAll(() => kernel?.stop());
    const rerun = `CHAINWALK_SEED=${seed} CHAINWALK_KERNEL_RULESETS=${RULESETS} npm run test:kernel -- random -t "${family} ${backend}"`;
    it(`agree; rerun: ${rerun}`, async () => {
      const plans = fc.array(randomPacket(family), { minLength: 1, maxLength: 2 * PACKETS + 19, size: "max" });
      const property = fc.asyncProperty(randomRuleSet(family), plans, (tables, packets) =>
        compareOne(kernel, formatRuleSet(tables), packets),
      );
      const found = await fc.check(property, { seed, numRuns: Math.ceil(RULESETS / 4) });
      if (!found.failed) return;
      const [tables] = found.counterexample!;
      const rules = formatRuleSet(tables)
        .split("\n")
        .filter((line) => /^\*|^-A| DROP /.test(line))
        .join("\n");
      const where = `seed ${seed}, path ${found.counterexamplePath}; rerun: ${rerun}`;
      throw new Error(`${rules}\n${String(found.errorInstance)}\n${where}`);
    });
  });
}

for (const family of ["ip", "ip6"] as const)
  for (const backend of ["legacy", "nft"] as const) register(family, backend);
