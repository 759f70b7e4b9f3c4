import { NEW_CONNECTION, type Connection } from "../../src/packet/connection.js";
import { parseAddress } from "../../src/packet/address.js";
import { Node } from "../../src/packet/node.js";
import { makePacket, type Packet, type PacketFields } from "../../src/packet/packet.js";
import { type ResolvedRuleSet, resolve } from "../../src/ruleset/resolve.js";
import { readRules } from "../../src/syntax/read.js";
import { namedDraw } from "../../src/engine/draw.js";
import { FRESH_STATE, type RuleState } from "../../src/engine/state.js";
import type { Context } from "../../src/engine/types.js";

/** A rule set from lines of one table: `rules("nat", ["-A PREROUTING -j ACCEPT"])`; user chains are declared by their use. */
export function rules(
  tables: Record<string, readonly string[]>,
  policies: Record<string, string> = {},
): ResolvedRuleSet {
  const builtin: Record<string, string[]> = {
    raw: ["PREROUTING", "OUTPUT"],
    mangle: ["PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"],
    nat: ["PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"],
    filter: ["INPUT", "FORWARD", "OUTPUT"],
  };
  const text = Object.entries(tables).map(([table, lines]) => {
    const own = builtin[table]!;
    const used = lines.flatMap((line) => [
      /^-A (\S+)/.exec(line)![1]!,
      ...(/-[jg] ([a-z]\S*)/.exec(line)?.slice(1) ?? []),
    ]);
    const user = [...new Set(used)].filter((chain) => !own.includes(chain));
    const heads = [
      ...own.map((chain) => `:${chain} ${policies[`${table} ${chain}`] ?? "ACCEPT"} [0:0]`),
      ...user.map((chain) => `:${chain} - [0:0]`),
    ];
    return [`*${table}`, ...heads, ...lines, "COMMIT", ""].join("\n");
  });
  const { ruleset, problems } = readRules(text.join(""));
  if (ruleset === undefined) throw new Error(problems.map((problem) => problem.message).join("; "));
  return resolve(ruleset);
}

export const NODE = new Node([parseAddress("192.168.0.2")!, parseAddress("2001:db8::2")!]);

/** A packet in text: `packet("10.0.0.1:1000 10.0.0.2:80")`. */
export function packet(addresses: string, fields: Partial<PacketFields> = {}): Packet {
  const [src, dst] = addresses.split(" ").map((text) => /^(.*):(\d+)$/.exec(text)!.slice(1));
  return makePacket({
    src: parseAddress(src![0]!.replace(/[[\]]/g, ""))!,
    dst: parseAddress(dst![0]!.replace(/[[\]]/g, ""))!,
    sport: Number(src![1]),
    dport: Number(dst![1]),
    ...fields,
  });
}

export interface Given {
  readonly draw?: Context["draw"];
  readonly connection?: Connection;
  readonly state?: RuleState;
  readonly now?: number;
  readonly node?: Node;
  readonly assume?: Context["assume"];
}

export function context(given: Given = {}): Context {
  return {
    node: given.node ?? NODE,
    draw: given.draw ?? namedDraw(1),
    packet: 0,
    now: given.now ?? 0,
    connection: given.connection ?? NEW_CONNECTION,
    state: given.state ?? FRESH_STATE,
    ...(given.assume ? { assume: given.assume } : {}),
  };
}
