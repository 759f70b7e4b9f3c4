import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Address, type Family, parseAddress } from "../../src/packet/address.js";
import { makePacket, type Packet } from "../../src/packet/packet.js";
import { type Backend, KernelNode } from "./kernel-node.js";
import { type Exchange, Session } from "./session.js";

const SECONDS = 2;
const VIP = { ip: "172.30.0.1", ip6: "fd00:30::1" } as const;
const PODS = { ip: ["10.64.0.1", "10.64.0.2", "10.64.0.3"], ip6: ["fd00:64::1", "fd00:64::2", "fd00:64::3"] } as const;

/** Session affinity as kube-proxy writes it. */
function rules(family: Family): string {
  const names = ["SEP-A", "SEP-B", "SEP-C"];
  const mask = family === "ip" ? "255.255.255.255" : "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff";
  const sticky = names.map(
    (name) =>
      `-A SVC -m recent --rcheck --seconds ${SECONDS} --reap --name ${name} --mask ${mask} --rsource -j ${name}`,
  );
  const picks = names.map((name, i) => {
    const chance = i < 2 ? ` -m statistic --mode random --probability ${(1 / (3 - i)).toFixed(10)}` : "";
    return `-A SVC${chance} -j ${name}`;
  });
  const ends = names.map((name, i) => {
    const pod = family === "ip" ? PODS.ip[i] : `[${PODS.ip6[i]}]`;
    return `-A ${name} -p tcp -m recent --set --name ${name} --mask ${mask} --rsource -m tcp -j DNAT --to-destination ${pod}:8080`;
  });
  return [
    "*nat",
    ":SVC - [0:0]",
    ...names.map((name) => `:${name} - [0:0]`),
    `-A PREROUTING -d ${VIP[family]} -j SVC`,
    ...sticky,
    ...picks,
    ...ends,
    "COMMIT",
    "",
  ].join("\n");
}

function register(family: Family, backend: Backend): void {
  describe(`session affinity, ${family} ${backend}`, () => {
    let kernel: KernelNode;
    let port = 10_000;
    beforeAll(async () => {
      kernel = await KernelNode.start(family, backend);
    });
    afterAll(() => kernel?.stop());
    const client = (i: number): Address => parseAddress(family === "ip" ? `192.0.2.${i}` : `2001:db8::${i}`)!;
    const from = (i: number): { packet: Packet } => ({
      packet: makePacket({ src: client(i), dst: parseAddress(VIP[family])!, sport: port++, dport: 80 }),
    });
    const endpointOf = (exchange: Exchange): string => String(exchange.seen.left!.packet.dst);
    const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
    /** Whether the connection went by a remembered choice: one of the first three rules of SVC. */
    const remembered = (exchange: Exchange): boolean =>
      exchange.seen.events.some((event) => event.chain === "SVC" && Number(event.number) <= 3);

    it("a client stays with its endpoint until the time is over", async () => {
      const session = await Session.open(kernel, rules(family));
      const first = await session.agree([1, 2, 3, 4].map(from));
      for (let round = 0; round < 3; round++) {
        await sleep((SECONDS * 1000) / 3);
        const again = await session.agree([1, 2, 3, 4].map(from));
        expect(again.map(endpointOf)).toEqual(first.map(endpointOf));
        expect(again.every(remembered)).toBe(true);
      }
      await sleep(SECONDS * 1000 + 400);
      const late = await session.agree([1, 2, 3, 4].map(from));
      expect(late.some(remembered)).toBe(false);
    });

    it("one endpoint, 101 clients: exactly the first is forgotten", async () => {
      const one = rules(family)
        .replaceAll(`--seconds ${SECONDS}`, "--seconds 600")
        .split("\n")
        .filter((line) => !line.startsWith("-A SVC -m statistic") && !line.startsWith("-A SVC -j"));
      one.splice(-2, 0, "-A SVC -j SEP-A");
      const session = await Session.open(kernel, one.join("\n"));
      for (let i = 1; i <= 101; i++) await session.agree([from(i)]);
      const again = await session.agree([2, 3, 101, 1].map(from));
      expect(again.map(remembered)).toEqual([true, true, true, false]);
    });
  });
}

register("ip", "legacy");
register("ip6", "nft");
