import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parseAddress } from "../../src/packet/address.js";
import { CtStatus } from "../../src/packet/connection.js";
import { makePacket, type Packet } from "../../src/packet/packet.js";
import { UDP } from "../../src/packet/protocol.js";
import { replyTuple } from "../../src/packet/tuple.js";
import { filler, KernelNode } from "./kernel-node.js";
import { NOTHING_SEEN } from "./project-node.js";
import { Session } from "./session.js";

// nf_conntrack_max is one for the whole machine and stays as it is: the namespace's own table is filled up to it.
describe("the full table", () => {
  let kernel: KernelNode;
  let most = 0;
  beforeAll(async () => {
    kernel = await KernelNode.start("ip", "legacy");
    most = Number(kernel.run(["sysctl", "-n", "net.netfilter.nf_conntrack_max"]));
  });
  afterAll(() => kernel?.stop());

  /** Scattered over addresses and ports, so that no hash has an easy time. */
  const newcomer = (i: number): Packet => {
    const scattered = Math.imul(i, 0x9e3779b1) >>> 0;
    const src = (parseAddress("10.64.0.0") as number) + (scattered >>> 12);
    return makePacket({
      src,
      dst: parseAddress("192.0.2.9")!,
      sport: 1024 + (scattered & 0x7fff),
      dport: 80,
      iif: "tun1",
    });
  };

  it("drops new connections where all are assured, knows the old ones, and makes room where one goes", async () => {
    const session = await Session.open(kernel, "", { maxEntries: most });
    await kernel.makeConnections(most);
    const { datapath } = session.project;
    const table = datapath.table("ip");
    const { now } = session;
    const status = CtStatus.confirmed | CtStatus.seenReply | CtStatus.assured;
    const tick = table.tick(now);
    for (let i = 0; i < most; i++) table.insert(filler(i), replyTuple(filler(i))!, UDP | (status << 8), tick + 600_000);

    const [refused] = await session.send([{ packet: newcomer(1000) }]);
    expect(refused!.said.result).toMatchObject({ verdict: "drop", reason: "table-full" });
    expect(refused!.seen).toMatchObject({ left: undefined, entry: undefined });
    expect(refused!.seen.events.map((event) => event.table)).toEqual(["raw"]);

    const known = makePacket({ ...filler(most - 1), tcpFlags: 0, iif: "eth0" });
    const [passed] = await session.agree([{ packet: known }]);
    expect(passed!.said.result).toMatchObject({ verdict: "accept", entry: "known" });
    await session.forgetConnections();
    await session.agree([{ packet: newcomer(1001) }]);
  });

  it("evicts connections that are not assured", async () => {
    const session = await Session.open(kernel, "", { maxEntries: most });
    await kernel.makeConnections(most - 20_000);
    const { datapath } = session.project;
    const table = datapath.table("ip");
    const tick = table.tick(session.now);
    const status = CtStatus.confirmed | CtStatus.seenReply | CtStatus.assured;
    for (let i = 0; i < most - 20_000; i++)
      table.insert(filler(i), replyTuple(filler(i))!, UDP | (status << 8), tick + 600_000);
    await kernel.listenTo(false, false);
    const flows = Array.from({ length: 20_000 }, (_, i) => ({ packet: newcomer(2000 + i) }));
    await kernel.send(flows);
    for (const { packet } of flows) session.project.process(packet, NOTHING_SEEN, session.now);
    await kernel.listenTo(true, true);
    expect(table.size).toBe(most);
    expect(Number(kernel.run(["sysctl", "-n", "net.netfilter.nf_conntrack_count"]))).toBeGreaterThanOrEqual(most - 1);
    // Which one goes is a matter of hashing; that most newcomers find room is not.
    const late = Array.from({ length: 400 }, (_, i) => ({ packet: newcomer(30_000 + i) }));
    const exchanges = await session.send(late);
    const inKernel = exchanges.filter(({ seen }) => seen.left !== undefined).length;
    const inProject = exchanges.filter(({ said }) => said.result.verdict === "accept").length;
    expect(Math.abs(inKernel - inProject), `kernel ${inKernel}, project ${inProject} of 400`).toBeLessThanOrEqual(60);
    expect(Math.min(inKernel, inProject)).toBeGreaterThan(0);
    await kernel.forgetConnections();
  });
});
