/** `ipset save` texts into sets (ipset 7: lib/print.c, lib/parse.c). */
import { type Address, type Family, familyOf, parseAddress } from "../packet/address.js";
import { maskAddress, type MaskedAddress, parsePrefix, prefixMask } from "../packet/prefix.js";
import { ICMP, ICMPV6, parseProtocol, TCP } from "../packet/protocol.js";
import type { IpSet, IpSetDimension, IpSetElement, IpSetPort } from "../ruleset/ipset.js";
import { error, type Problem, warning } from "../ruleset/problem.js";
import { decodeInput } from "./input.js";
import { icmpNames, icmpv6Names } from "./iptables/matches/icmp-names.js";
import { parseNumber, parsePort, UINT32 } from "./iptables/values.js";

export interface ReadSetsResult {
  /** Absent where a problem is an error. */
  readonly sets?: readonly IpSet[];
  readonly problems: readonly Problem[];
  readonly text?: string;
}

/** Words after a set's type or an element, with how many values follow each; they do not change what the set holds. */
const createWords: Readonly<Record<string, number>> = {
  family: 1,
  hashsize: 1,
  maxelem: 1,
  bucketsize: 1,
  initval: 1,
  timeout: 1,
  netmask: 1,
  markmask: 1,
  bitmask: 1,
  range: 1,
  size: 1,
  counters: 0,
  comment: 0,
  skbinfo: 0,
  forceadd: 0,
};
const addWords: Readonly<Record<string, number>> = {
  timeout: 1,
  packets: 1,
  bytes: 1,
  comment: 1,
  skbmark: 1,
  skbprio: 1,
  skbqueue: 1,
  nomatch: 0,
};

const dimensionNames: ReadonlySet<string> = new Set(["ip", "net", "port", "mark", "iface"]);

interface OpenSet {
  readonly set: IpSet & { readonly elements: IpSetElement[] };
  /** Applied to addresses of dimension ip. */
  readonly netmask: Address;
}

class BadElement extends Error {}

/**
 * Reads the text of `ipset save`, gzipped or not. A set that cannot be evaluated (list:set, hardware addresses, a mark mask, bridge ports) is left out with a
 * warning: a rule that asks it stops a walk.
 */
export function readIpSets(input: Uint8Array | string): ReadSetsResult {
  const decoded = decodeInput(input);
  if ("problem" in decoded) return { problems: [decoded.problem] };
  const { text } = decoded;
  const problems: Problem[] = [];
  const sets = new Map<string, OpenSet>();
  const left = new Set<string>();
  text.split("\n").forEach((content, i) => {
    const words = splitWords(content);
    if (words.length === 0 || content.trimStart().startsWith("#")) return;
    const column = content.length - content.trimStart().length + 1;
    const span = { line: i + 1, column };
    try {
      if (words[0] === "create")
        create(words, sets, left, (message) => problems.push(warning("set-left-out", message, span)));
      else if (words[0] === "add")
        add(words, sets, left, (message) => problems.push(warning("set-left-out", message, span)));
      else throw new BadElement('expected "create NAME TYPE ..." or "add NAME ELEMENT ...", as ipset save prints them');
    } catch (problem) {
      if (!(problem instanceof BadElement)) throw problem;
      problems.push(error("bad-ipset", problem.message, span));
    }
  });
  if (sets.size === 0 && left.size === 0 && problems.length === 0)
    problems.push(
      error("empty-input", "the input holds no sets: the output of ipset save is expected", { line: 1, column: 1 }),
    );
  if (problems.some((problem) => problem.severity === "error")) return { problems, text };
  return { sets: [...sets.values()].map(({ set }) => set), problems, text };
}

function splitWords(line: string): string[] {
  return [...line.matchAll(/"(?:\\.|[^"\\])*"|\S+/g)].map(([word]) => word);
}

/** The words after the first three: their names and values; an unknown one is refused. */
function optionsOf(words: readonly string[], known: Readonly<Record<string, number>>): Map<string, string> {
  const options = new Map<string, string>();
  for (let i = 3; i < words.length; i++) {
    const word = words[i]!;
    if (!Object.hasOwn(known, word))
      throw new BadElement(`unknown word "${word}" after the ${words[0]} of ${words[1]}`);
    const values = known[word]!;
    if (i + values >= words.length) throw new BadElement(`"${word}" needs a value`);
    options.set(word, values === 0 ? "" : words[i + 1]!);
    i += values;
  }
  return options;
}

function create(
  words: readonly string[],
  sets: Map<string, OpenSet>,
  left: Set<string>,
  leave: (message: string) => void,
): void {
  const [, name, type] = words;
  if (name === undefined || type === undefined) throw new BadElement('a set is made by "create NAME TYPE ..."');
  if (sets.has(name) || left.has(name)) throw new BadElement(`set ${name} is created twice`);
  const [method, list = ""] = type.split(":");
  const options = optionsOf(words, createWords);
  const dimensions = list.split(",");
  const unknown =
    !["hash", "bitmap"].includes(method!) || !dimensions.every((dimension) => dimensionNames.has(dimension));
  const odd = ["markmask", "bitmask"].find((word) => options.has(word));
  if (unknown || odd !== undefined) {
    left.add(name);
    leave(
      `set ${name} ${unknown ? `of type ${type}` : `with ${odd}`} cannot be evaluated: a walk that asks it stops there`,
    );
    return;
  }
  const version = options.get("family") ?? "inet";
  if (version !== "inet" && version !== "inet6")
    throw new BadElement(`the family of ${name} is inet or inet6, not ${version}`);
  const family: Family = version === "inet" ? "ip" : "ip6";
  const bits = family === "ip" ? 32 : 128;
  const length = parseNumber(options.get("netmask") ?? String(bits), bits);
  if (length === undefined) throw new BadElement(`netmask needs a number from 0 to ${bits}`);
  const netmask = prefixMask(family, length);
  const set = { name, type, family, dimensions: dimensions as IpSetDimension[], elements: [] };
  sets.set(name, { set, netmask });
}

function add(
  words: readonly string[],
  sets: Map<string, OpenSet>,
  left: Set<string>,
  leave: (message: string) => void,
): void {
  const [, name, element] = words;
  if (name === undefined || element === undefined) throw new BadElement('an element is added by "add NAME ELEMENT"');
  if (left.has(name)) return;
  const open = sets.get(name);
  if (open === undefined) throw new BadElement(`set ${name} is not created before this line`);
  const options = optionsOf(words, addWords);
  if (/(^|,)physdev:/.test(element)) {
    sets.delete(name);
    left.add(name);
    leave(`set ${name} asks for bridge ports (${element}) and cannot be evaluated: a walk that asks it stops there`);
    return;
  }
  const { set, netmask } = open;
  const values = element.split(",");
  if (values.length !== set.dimensions.length)
    throw new BadElement(
      `an element of ${set.type} has ${set.dimensions.length} parts with commas between, not "${element}"`,
    );
  const parts = values.map((value, i) => partOf(set, set.dimensions[i]!, value, netmask));
  set.elements.push(options.has("nomatch") ? { parts, nomatch: true } : { parts });
}

function partOf(set: IpSet, dimension: IpSetDimension, text: string, netmask: Address): IpSetElement["parts"][number] {
  switch (dimension) {
    case "ip": {
      const address = parseAddress(text);
      if (address === undefined || familyOf(address) !== set.family) throw badAddress(set, text);
      return { value: maskAddress(address, netmask), mask: netmask };
    }
    case "net":
      return netOf(set, text);
    case "port":
      return portOf(set, text);
    case "mark": {
      const mark = parseNumber(text, UINT32);
      if (mark === undefined) throw new BadElement(`"${text}" is no mark of 32 bits`);
      return [mark, mark];
    }
    case "iface":
      return text;
    case "mac":
      throw new BadElement("sets of hardware addresses are left out when they are created");
  }
}

function netOf(set: IpSet, text: string): MaskedAddress {
  const prefix = parsePrefix(text);
  if (prefix === undefined || familyOf(prefix.value) !== set.family) throw badAddress(set, text);
  return prefix;
}

function badAddress(set: IpSet, text: string): BadElement {
  return new BadElement(`"${text}" is no ${set.family === "ip" ? "IPv4" : "IPv6"} address, which ${set.name} holds`);
}

/** `tcp:80`, `udp:1-9`, `icmp:echo-request`, `icmp:8/0`, `gre:0`; without a protocol tcp, in bitmap:port any. */
function portOf(set: IpSet, text: string): IpSetPort {
  const colon = text.indexOf(":");
  const protocol = colon < 0 ? (set.type === "bitmap:port" ? null : TCP) : parseProtocol(text.slice(0, colon));
  if (protocol === undefined) throw new BadElement(`unknown protocol in "${text}"`);
  const rest = text.slice(colon + 1);
  if (protocol === ICMP || protocol === ICMPV6) {
    const named = (protocol === ICMP ? icmpNames : icmpv6Names).find(([name]) => name === rest);
    const [type, code] =
      named === undefined ? rest.split("/").map((part) => parseNumber(part, 255)) : [named[1], named[2]];
    if (type === undefined || code === undefined)
      throw new BadElement(`"${rest}" is no ICMP type: a name or TYPE/CODE`);
    return { protocol, first: type * 256 + code, last: type * 256 + code };
  }
  const ends = rest.split("-").map(parsePort);
  const [first, last = first] = ends;
  if (first === undefined || last === undefined || ends.includes(undefined) || ends.length > 2 || first > last)
    throw new BadElement(`"${rest}" is no port from 0 to 65535, nor a range FIRST-LAST of them`);
  return { protocol, first, last };
}
