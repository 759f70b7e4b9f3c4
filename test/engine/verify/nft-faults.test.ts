/** What the compiler could get wrong of sets, maps and verdict maps: each fault must be caught, with a packet that really fares differently. */
import { describe, expect, it } from "vitest";
import { parseAddress } from "../../../src/packet/address.js";
import { Node } from "../../../src/packet/node.js";
import { resolve } from "../../../src/ruleset/resolve.js";
import { compile, type Plan } from "../../../src/engine/compile/compile.js";
import { NOT_FOUND } from "../../../src/engine/compile/key-table.js";
import { Op } from "../../../src/engine/compile/operations.js";
import { verify } from "../../../src/engine/verify/verify.js";
import { readRules } from "../../../src/syntax/read.js";
import { chainNamed, expectCaught, operations, rowsOf, type TableArrays, tableOf } from "./caught.js";

const node = new Node([parseAddress("192.168.0.2")!]);

/** Verdict maps by one field, by several, by ranges and by a draw; sets, compared and negated; translation by a map; what stands behind a map. */
const RULES = `table ip t {
  map services {
    type ipv4_addr . inet_proto . inet_service : verdict
    elements = {
      10.96.0.1 . tcp . 443 : goto api,
      10.96.0.10 . udp . 53 : goto dns,
      10.96.0.10 . tcp . 53 : goto dns,
      10.96.0.80 . tcp . 80 : goto web
    }
  }
  map ports {
    type inet_service : ipv4_addr . inet_service
    elements = { 30080 : 10.0.1.5 . 8080, 30443 : 10.0.1.6 . 8443 }
  }
  set clients {
    type ipv4_addr
    flags interval
    elements = { 10.0.0.0/16, 172.16.5.0-172.16.9.255 }
  }
  set blocked {
    type ipv4_addr . inet_service
    elements = { 203.0.113.7 . 22, 203.0.113.9 . 25 }
  }
  chain api { numgen random mod 3 vmap { 0 : goto api0, 1 : goto api1, 2 : goto api2 } }
  chain api0 { meta l4proto tcp dnat to 10.0.1.1:6443 }
  chain api1 { meta l4proto tcp dnat to 10.0.1.2:6443 }
  chain api2 { meta l4proto tcp dnat to 10.0.1.3:6443 }
  chain dns { ip saddr @clients meta l4proto { tcp, udp } dnat to 10.0.2.1:53; meta l4proto { tcp, udp } dnat to 10.0.2.2:53 }
  chain web { ip saddr != @clients meta mark set meta mark or 0x4000; meta l4proto tcp dnat to 10.0.3.1:8080 }
  chain early {
    type filter hook prerouting priority raw; policy accept;
    ip saddr . th dport @blocked drop
    ip protocol vmap { icmp : accept, 132 : jump sctp }
    ip daddr 198.51.100.0/24 drop
    meta mark & 0xf0 vmap { 0x10 : drop, 0x20-0x3f : accept }
    tcp dport { 1000-1999, 3000 } drop
  }
  chain sctp { th dport vmap { 1-99 : drop, 100-200 : return }; ip ttl 1 accept; ip daddr 10.5.0.0/16 drop }
  chain nat {
    type nat hook prerouting priority dstnat; policy accept;
    ip daddr . meta l4proto . th dport vmap @services
    meta l4proto tcp dnat ip addr . port to tcp dport map @ports
  }
  chain out {
    type filter hook postrouting priority 0; policy accept;
    ip daddr { 10.0.2.1, 10.0.2.2 } ct state { established, new } accept
    meta mark & 0x4000 == 0x4000 drop
  }
}
`;

const services = (plan: Plan): TableArrays => tableOf(plan, "nat", Op.verdictMap);

const faults: readonly (readonly [name: string, damage: (plan: Plan) => void])[] = [
  [
    "an element leads to another chain",
    (plan) => {
      const table = services(plan);
      const { at, width } = rowsOf(table);
      const row = at.find((offset) => table.rows[offset + 2] === 80)!;
      table.rows[row + width - 1] = Op.goto | (chainNamed(plan, "api").id << 8);
    },
  ],
  [
    "an element jumps where it should go",
    (plan) => {
      const table = tableOf(plan, "early", Op.verdictMap);
      const { at, width } = rowsOf(table);
      const row = at.find((offset) => table.rows[offset] === 132)!;
      table.rows[row + width - 1]! += Op.goto - Op.jump;
    },
  ],
  [
    "an element is lost",
    (plan) => {
      const table = services(plan);
      table.used[rowsOf(table).at[1]! / rowsOf(table).width] = 0;
    },
  ],
  [
    "the values of two elements are swapped",
    (plan) => {
      const table = services(plan);
      const { at, width } = rowsOf(table);
      const [api, web] = [443, 80].map((port) => at.find((offset) => table.rows[offset + 2] === port)! + width - 1);
      [table.rows[api!], table.rows[web!]] = [table.rows[web!]!, table.rows[api!]!];
    },
  ],
  [
    "a bit of a key is another",
    (plan) => {
      const table = services(plan);
      const before = { ...table, rows: table.rows.slice() };
      const row = rowsOf(before).at[0]!;
      table.rows[row + 2]! ^= 8;
    },
  ],
  [
    "key compare left out",
    (plan) => {
      const table = services(plan);
      const { at, width } = rowsOf(table);
      const right = table.slot.bind(table);
      table.slot = () => (table.used[right()] === 1 ? right() : at[0]! / width);
    },
  ],
  ["a part of the key is the other address", (plan) => void (services(plan).fields[0]!.source = 0)],
  ["a range ends too late", (plan) => void tableOf(plan, "dns", Op.inTable).last[1]!++],
  ["a range begins too late", (plan) => void tableOf(plan, "dns", Op.inTable).first[0]!++],
  ["two ranges have each other's verdict", (plan) => void tableOf(plan, "sctp", Op.verdictMap).spanValues.reverse()],
  ["a single value beside ranges is lost", (plan) => void tableOf(plan, "early", Op.inTable, 1).used.fill(0)],
  [
    "a negated lookup is read as a plain one",
    (plan) => void (plan.columns.code[operations(plan, "web", Op.inTable)[0]! + 3]! ^= 1),
  ],
  ["a draw is of fewer", (plan) => void tableOf(plan, "api", Op.verdictMap).fields[0]!.mod--],
  [
    "an endpoint is drawn twice, another never",
    (plan) => {
      const table = tableOf(plan, "api", Op.verdictMap);
      const { at, width } = rowsOf(table);
      table.rows[at[0]! + width - 1] = table.rows[at[1]! + width - 1]!;
    },
  ],
  ["the mask of a key is wider", (plan) => void (tableOf(plan, "early", Op.verdictMap, 1).fields[0]!.mask |= 0x100)],
  ["the address of a translation by map is wrong", ({ columns }) => void columns.tables.destinations[0]!++],
  ["the port of a translation by map is wrong", ({ columns }) => void (columns.tables.destinations[3] = 8444)],
  [
    "translation by map leads to the other element's",
    (plan) => {
      const table = tableOf(plan, "nat", Op.dnatMap);
      for (const offset of rowsOf(table).at) table.rows[offset + 1]! ^= 1;
    },
  ],
  ["the rule behind a map is dropped", (plan) => void plan.columns.chainEnd[chainNamed(plan, "nat").id]!--],
  [
    "what stands behind a comparison is left out",
    (plan) => void (plan.columns.code[operations(plan, "out", Op.inTable)[0]! + 4] = Op.accept),
  ],
  ["a translated port is another", (plan) => void plan.columns.code[operations(plan, "api1", Op.dnat)[0]! + 2]!++],
  [
    "the mark set is another",
    (plan) => void (plan.columns.code[operations(plan, "web", Op.setMark)[0]! + 2]! ^= 0x2000),
  ],
  ["an element rejects", (plan) => void (tableOf(plan, "sctp", Op.verdictMap).spanValues[1] = Op.reject)],
  [
    "the value of an element says that there is none",
    (plan) => void (tableOf(plan, "early", Op.inTable, 1).spanValues[0] = NOT_FOUND),
  ],
  [
    "a key stands where it is not looked for",
    (plan) => {
      const table = tableOf(plan, "early", Op.inTable);
      table.rows[rowsOf(table).at[1]!]! ^= 1;
    },
  ],
];

/** What leaves a proof nothing to go on with: it says so, and ends. */
const broken: readonly (readonly [name: string, reason: RegExp, damage: (plan: Plan) => void])[] = [
  [
    "an element holds what is no verdict",
    /a verdict map of the columns holds operation 20, which is no verdict/,
    (plan) => void (tableOf(plan, "sctp", Op.verdictMap).spanValues[0] = Op.setMark),
  ],
  [
    "an element leads back to its own chain",
    /the columns walk leads from chain \d+ back to it/,
    (plan) => {
      const table = tableOf(plan, "api", Op.verdictMap);
      const { at, width } = rowsOf(table);
      table.rows[at[2]! + width - 1] = Op.goto | (chainNamed(plan, "api").id << 8);
    },
  ],
];

describe("verify catches faults of compiled sets and maps", () => {
  const resolved = resolve(readRules(RULES).ruleset!);

  it("finds nothing where there is none", () => {
    const found = verify(compile(resolved, node));
    expect([found.reason, found.equal, found.share]).toEqual([undefined, true, 1]);
  });

  it.each(faults)("%s", (_, damage) => {
    const plan = compile(resolved, node);
    damage(plan);
    expectCaught(plan, resolved);
  });

  it.each(broken)("%s", (_, reason, damage) => {
    const plan = compile(resolved, node);
    damage(plan);
    const found = verify(plan, { witnesses: 0 });
    expect(found.equal).toBe(false);
    expect(found.reason).toMatch(reason);
  });
});
