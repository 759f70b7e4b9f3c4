/** Random rule sets that iptables-restore accepts, as text, and packets that meet their rules. */
import * as fc from "fast-check";
import type { Family } from "../../src/packet/address.js";

/** What rules and packets are made of: few values, so that they meet. */
interface Words {
  readonly addresses: readonly string[];
  readonly prefixes: readonly string[];
  readonly masks: readonly string[];
  readonly pods: readonly string[];
  readonly outside: readonly string[];
  readonly own: readonly string[];
  readonly icmp: readonly string[];
  readonly rejects: readonly string[];
  readonly host: string;
}

export const words: Readonly<Record<Family, Words>> = {
  ip: {
    pods: ["10.64.0.1", "10.64.0.2", "10.64.0.3", "10.64.0.4"],
    outside: ["192.0.2.1", "192.0.2.2", "203.0.113.129"],
    own: ["10.200.0.1", "10.201.0.1"],
    addresses: ["10.64.0.1", "10.64.0.2", "192.0.2.1", "10.200.0.1", "10.201.0.1", "172.30.0.1", "172.30.0.2"],
    prefixes: ["10.64.0.0/30", "10.64.0.0/10", "192.0.2.0/31", "172.30.0.0/16", "10.0.0.0/8", "0.0.0.0/0"],
    masks: ["10.0.0.1/255.0.0.255", "0.0.0.2/0.0.0.2", "192.0.2.0/255.255.255.252"],
    icmp: ["8", "0", "3/1", "any", "echo-request", "13"],
    rejects: ["icmp-port-unreachable", "icmp-net-unreachable", "icmp-host-prohibited", "icmp-admin-prohibited"],
    host: "32",
  },
  ip6: {
    pods: ["fd00:64::1", "fd00:64::2", "fd00:64::3", "fd00:64::4"],
    outside: ["2001:db8::1", "2001:db8::2", "2001:db8:ffff::81"],
    own: ["fd00:200::1", "fd00:201::1"],
    addresses: ["fd00:64::1", "fd00:64::2", "2001:db8::1", "fd00:200::1", "fd00:201::1", "fd00:30::1", "fd00:30::2"],
    prefixes: ["fd00:64::/126", "fd00:64::/32", "2001:db8::/127", "fd00:30::/112", "fd00::/8", "::/0"],
    masks: ["fd00::1/ffff::ffff", "::2/::2"],
    icmp: ["128", "129", "1/4", "echo-request", "139"],
    rejects: ["icmp6-port-unreachable", "icmp6-no-route", "icmp6-adm-prohibited", "icmp6-addr-unreachable"],
    host: "128",
  },
};

/** The ipsets that random rules ask. */
export const SETS: Readonly<Record<Family, string>> = {
  ip: `create HOSTS hash:ip family inet
add HOSTS 10.64.0.1
add HOSTS 192.0.2.1
create NETS hash:net family inet
add NETS 10.64.0.0/30
add NETS 10.64.0.2/32 nomatch
add NETS 172.30.0.0/16
create SERVICES hash:ip,port family inet
add SERVICES 172.30.0.1,tcp:80
add SERVICES 10.64.0.2,udp:53
add SERVICES 10.200.0.1,sctp:443
create PORTS bitmap:port range 0-65535
add PORTS 80
add PORTS 443
create LOOPS hash:ip,port,net family inet
add LOOPS 10.64.0.1,tcp:80,192.0.2.0/24
add LOOPS 172.30.0.1,tcp:443,10.64.0.0/10
`,
  ip6: `create HOSTS hash:ip family inet6
add HOSTS fd00:64::1
add HOSTS 2001:db8::1
create NETS hash:net family inet6
add NETS fd00:64::/126
add NETS fd00:64::2/128 nomatch
add NETS fd00:30::/112
create SERVICES hash:ip,port family inet6
add SERVICES fd00:30::1,tcp:80
add SERVICES fd00:64::2,udp:53
add SERVICES fd00:200::1,sctp:443
create PORTS bitmap:port range 0-65535
add PORTS 80
add PORTS 443
create LOOPS hash:ip,port,net family inet6
add LOOPS fd00:64::1,tcp:80,2001:db8::/64
add LOOPS fd00:30::1,tcp:443,fd00:64::/32
`,
};

export const ports = [22, 53, 80, 443, 8080, 40000] as const;
export const marks = [0, 1, 2, 0x4000, 0x8001, 0xffffffff] as const;
const portRanges = ["53", "80", "443", "80:443", ":1023", "1024:", "0", "79:81", "443:8080", "8080:65535"];
const masked = ["0x1", "0x2/0x2", "0x4000/0x4000", "0x0/0xff", "0xffffffff", "0x8001/0xf00f", "0x3/0x3"];
const lists = ["RECENT-A", "RECENT-B"] as const;

export interface RandomRule {
  readonly matches: readonly string[];
  readonly target: string;
}
export interface RandomChain {
  readonly name: string;
  /** `-` for a user chain. */
  readonly policy: "ACCEPT" | "DROP" | "-";
  readonly rules: readonly RandomRule[];
}
export interface RandomTable {
  readonly name: string;
  readonly chains: readonly RandomChain[];
}

type Protocol = "tcp" | "udp" | "sctp" | "icmp" | "50" | "";

const pick = <T>(...values: readonly T[]): fc.Arbitrary<T> => fc.constantFrom(...values);
const not = fc.integer({ min: 0, max: 3 }).map((n) => (n === 3 ? "! " : ""));
/** Joins the parts of a phrase. */
const phrase = (...parts: readonly (string | fc.Arbitrary<string>)[]): fc.Arbitrary<string> =>
  fc
    .tuple(...parts.map((part) => (typeof part === "string" ? fc.constant(part) : part)))
    .map((all) => all.join("").trimEnd());

function address(family: Family): fc.Arbitrary<string> {
  const w = words[family];
  return fc.oneof(
    { weight: 4, arbitrary: pick(...w.addresses) },
    { weight: 4, arbitrary: pick(...w.prefixes) },
    { weight: 1, arbitrary: pick(...w.masks) },
  );
}

function matchesOf(family: Family, protocol: Protocol): fc.Arbitrary<string> {
  const w = words[family];
  const list = pick(...lists);
  const all: fc.Arbitrary<string>[] = [
    pick('-m comment --comment "two words"'),
    phrase(pick("-m mark ", "-m connmark "), not, "--mark ", pick(...masked)),
    phrase("-m mark ", not, "--mark ", pick(...masked)),
    phrase(
      "-m conntrack ",
      not,
      "--ctstate ",
      fc
        .subarray(["NEW", "ESTABLISHED", "INVALID", "RELATED", "UNTRACKED", "DNAT", "SNAT"], { minLength: 1 })
        .map(String),
    ),
    phrase(
      "-m conntrack ",
      not,
      "--ctstatus ",
      pick("NONE", "SEEN_REPLY", "ASSURED", "CONFIRMED", "SEEN_REPLY,CONFIRMED"),
    ),
    phrase(
      "-m conntrack ",
      not,
      pick("--ctorigsrc ", "--ctorigdst ", "--ctreplsrc ", "--ctrepldst "),
      pick(...w.addresses, ...w.prefixes),
    ),
    phrase(
      "-m conntrack ",
      not,
      pick("--ctorigsrcport ", "--ctorigdstport ", "--ctreplsrcport ", "--ctrepldstport "),
      pick("53", "80", "53:443", "1024:65535"),
    ),
    phrase("-m conntrack ", not, "--ctproto ", pick("tcp", "udp")),
    pick("-m conntrack --ctdir ORIGINAL", "-m conntrack --ctdir REPLY"),
    phrase("-m state ", not, "--state ", pick("NEW", "ESTABLISHED,RELATED", "INVALID", "UNTRACKED")),
    phrase(
      "-m addrtype ",
      not,
      pick("--src-type ", "--dst-type "),
      pick("LOCAL", "UNICAST", "LOCAL,UNICAST", "MULTICAST"),
    ),
    phrase(
      "-m recent ",
      not,
      pick("--rcheck", "--update", "--set", "--remove"),
      " --name ",
      list,
      pick(" --rsource", " --rdest"),
    ),
    phrase(
      "-m recent ",
      not,
      pick("--rcheck", "--update"),
      " --hitcount ",
      pick("1", "2", "3"),
      " --name ",
      list,
      pick(" --rsource", " --rdest"),
    ),
    phrase("-m limit --limit 1/hour --limit-burst ", pick("1", "2", "5")),
    phrase(
      "-m iprange ",
      not,
      pick("--src-range ", "--dst-range "),
      pick(`${w.pods[1]}-${w.pods[2]}`, `${w.outside[0]}-${w.outside[0]}`),
    ),
    phrase("-m statistic --mode nth ", not, "--every ", pick("1", "2", "3", "5"), " --packet 0"),
    pick("-m statistic --mode nth --every 4 --packet 3", "-m statistic --mode nth --every 3 --packet 1"),
    phrase(
      "-m set ",
      not,
      "--match-set ",
      pick(
        "HOSTS src",
        "HOSTS dst",
        "NETS src",
        "NETS dst",
        "SERVICES dst,dst",
        "SERVICES src,src",
        "PORTS dst",
        "PORTS src",
      ),
    ),
    phrase("-m set ", not, "--match-set ", pick("LOOPS dst,dst,src", "SERVICES dst,dst", "PORTS dst")),
    phrase("-m physdev ", pick("! --physdev-is-in", "! --physdev-is-bridged", "--physdev-is-in")),
  ];
  if (protocol === "tcp" || protocol === "udp" || protocol === "sctp") {
    const port = phrase(`-m ${protocol} `, not, pick("--dport ", "--dport ", "--sport "), pick(...portRanges));
    const many = phrase(
      "-m multiport ",
      not,
      pick("--dports ", "--sports ", "--ports "),
      pick("53,80", "80:443,8080", "22,53,1024:65535", "0:1"),
    );
    all.push(port, port, port, many);
  }
  if (protocol === "tcp") {
    all.push(
      pick("-m tcp --syn", "-m tcp ! --syn"),
      phrase(
        "-m tcp ",
        not,
        "--tcp-flags ",
        pick("SYN,ACK SYN", "FIN,SYN,RST,PSH,ACK,URG NONE", "RST RST", "SYN,RST,ACK ACK", "ALL SYN,ACK"),
      ),
    );
  }
  if (protocol === "icmp") {
    const words4 = phrase("-m icmp ", not, "--icmp-type ", pick(...w.icmp));
    all.push(family === "ip" ? words4 : phrase("-m icmp6 ", not, "--icmpv6-type ", pick(...w.icmp)));
  }
  return fc.oneof(...all);
}

/** One random match a rule at most: a draw is named by its rule, so that two would share it. */
const random = fc.oneof(
  { weight: 5, arbitrary: fc.constant("") },
  {
    weight: 1,
    arbitrary: phrase(
      "-m statistic --mode random ",
      not,
      "--probability ",
      pick("0", "1", "0.5", "0.33333333349", "0.2", "0.75"),
    ),
  },
);

interface Place {
  readonly family: Family;
  readonly table: string;
  /** Of a base chain. */
  readonly hook?: string;
  /** In nat: which translations are possible. */
  readonly nat?: "destination" | "source" | "input";
  /** Chains it may jump to. */
  readonly later: readonly string[];
}

function targets(place: Place, protocol: Protocol): fc.Arbitrary<string> {
  const { family, table, later } = place;
  const w = words[family];
  const ported = protocol === "tcp" || protocol === "udp" || protocol === "sctp";
  const wrap = (host: string): string => (family === "ip6" ? `[${host}]` : host);
  const all: fc.Arbitrary<string>[] = [
    pick("", "-j ACCEPT", "-j RETURN"),
    phrase(
      "-j MARK ",
      pick(
        "--set-xmark 0x4000/0x4000",
        "--set-xmark 0x0/0xffffffff",
        "--or-mark 0x3",
        "--and-mark 0xfffffffe",
        "--xor-mark 0x8001",
        "--set-mark 0x2/0x2",
        "--set-xmark 0x5/0xf0f",
      ),
    ),
    phrase(
      "-j CONNMARK ",
      pick(
        "--set-xmark 0x1/0xffffffff",
        "--save-mark",
        "--restore-mark",
        "--save-mark --nfmask 0x3 --ctmask 0x1",
        "--restore-mark --nfmask 0xff --ctmask 0xf",
      ),
    ),
    pick("-j NFLOG --nflog-group 5", '-j LOG --log-prefix "seen "'),
  ];
  if (table !== "nat" && protocol !== "") all.push(pick("-j DROP"));
  if (table === "raw" && protocol !== "") all.push(pick("-j CT --notrack"));
  if (table === "filter" && protocol !== "") {
    all.push(phrase("-j REJECT --reject-with ", pick(...w.rejects)));
    if (protocol === "tcp") all.push(pick("-j REJECT --reject-with tcp-reset"));
  }
  if (later.length > 0) {
    const jump = phrase(pick("-j ", "-j ", "-g "), pick(...later));
    all.push(jump, jump, jump, jump);
  }
  if (place.nat === "destination") {
    const plain = phrase(
      "-j DNAT --to-destination ",
      pick(...w.pods.slice(0, 3), w.own[0]!, `${w.pods[0]}-${w.pods[3]}`),
    );
    all.push(plain, plain, phrase("-j DNAT --to-destination ", pick(`${w.pods[0]}-${w.pods[3]}`), " --persistent"));
    if (ported) {
      all.push(phrase("-j DNAT --to-destination ", pick(`${wrap(w.pods[0]!)}:8080`, `${wrap(w.pods[1]!)}:80`, ":443")));
      all.push(pick("-j REDIRECT --to-ports 8080", "-j REDIRECT"));
    }
  }
  if (place.nat === "source") {
    all.push(pick("-j MASQUERADE", "-j MASQUERADE", ported ? "-j MASQUERADE --random-fully" : "-j MASQUERADE"));
    if (ported) all.push(pick("-j MASQUERADE --to-ports 50000-50100"));
  }
  if (place.nat === "source" || place.nat === "input") {
    const [a, b] = family === "ip" ? ["10.200.0.9", "10.200.0.12"] : ["fd00:200::9", "fd00:200::12"];
    all.push(phrase("-j SNAT --to-source ", pick(a!, `${a}-${b}`)));
    if (ported) all.push(phrase("-j SNAT --to-source ", pick(`${wrap(b!)}:6000-6100`)));
  }
  return fc.oneof(...all);
}

/** iptables-nft refuses to say that an address is none at all. */
const isUseful = (test: string): boolean => !/^! .*\/0$/.test(test);

function rule(place: Place): fc.Arbitrary<RandomRule> {
  const { family, hook } = place;
  const icmp = family === "ip" ? "icmp" : "ipv6-icmp";
  const seldom = (part: fc.Arbitrary<string>): fc.Arbitrary<string> =>
    fc.oneof({ weight: 3, arbitrary: fc.constant("") }, { weight: 1, arbitrary: part });
  const comesIn = hook !== "OUTPUT" && hook !== "POSTROUTING";
  const goesOut = hook !== "PREROUTING" && hook !== "INPUT";
  const device = pick("eth0", "tun1", "eth+", "lo", "+", "t+");
  return pick<Protocol>("", "", "tcp", "tcp", "udp", "sctp", "icmp", "50").chain((protocol) => {
    const named = protocol === "icmp" ? icmp : protocol;
    const header = fc.tuple(
      seldom(phrase(not, "-s ", address(family)).filter(isUseful)),
      seldom(phrase(not, "-d ", address(family)).filter(isUseful)),
      comesIn ? seldom(phrase(not, "-i ", device)) : fc.constant(""),
      goesOut ? seldom(phrase(not, "-o ", device)) : fc.constant(""),
      fc.constant(protocol === "" ? "" : `-p ${named}`),
    );
    const excluded = protocol === "" ? seldom(pick("! -p tcp", "! -p udp")) : fc.constant("");
    return fc
      .tuple(
        header,
        excluded,
        fc.array(matchesOf(family, protocol), { maxLength: 2 }),
        random,
        targets(place, protocol),
      )
      .map(([start, negated, some, chance, target]) => ({
        matches: [...start, negated, ...new Set(some), chance].filter((match) => match !== ""),
        target,
      }));
  });
}

const builtin: Readonly<Record<string, readonly string[]>> = {
  raw: ["PREROUTING", "OUTPUT"],
  mangle: ["PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"],
  nat: ["PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"],
  filter: ["INPUT", "FORWARD", "OUTPUT"],
};

const natSide: Readonly<Record<string, NonNullable<Place["nat"]>>> = {
  PREROUTING: "destination",
  OUTPUT: "destination",
  POSTROUTING: "source",
  INPUT: "input",
};

function table(family: Family, name: string): fc.Arbitrary<RandomTable> {
  const chain = (chainName: string, place: Place, base: boolean): fc.Arbitrary<RandomChain> =>
    fc.record({
      name: fc.constant(chainName),
      policy: base
        ? name === "nat"
          ? fc.constant("ACCEPT" as const)
          : fc.integer({ min: 0, max: 11 }).map((n) => (n === 11 ? ("DROP" as const) : ("ACCEPT" as const)))
        : fc.constant("-" as const),
      rules: fc.array(rule(place), { maxLength: 5 }),
    });
  const users = name === "nat" ? ["DST-A", "DST-B", "SRC-A", "SRC-B"] : ["USER-A", "USER-B", "USER-C"];
  const laterThan = (at: number, nat: Place["nat"]): string[] =>
    users
      .slice(at + 1)
      .filter(
        (user) => name !== "nat" || user.startsWith(nat === "destination" ? "DST" : nat === "source" ? "SRC" : "none"),
      );
  const bases = builtin[name]!.map((hook) => {
    const nat = name === "nat" ? { nat: natSide[hook]! } : {};
    return chain(hook, { family, table: name, hook, later: laterThan(-1, nat.nat), ...nat }, true);
  });
  const own = users.map((user, at) => {
    const nat = name === "nat" ? { nat: user.startsWith("DST") ? ("destination" as const) : ("source" as const) } : {};
    return chain(user, { family, table: name, later: laterThan(at, nat.nat), ...nat }, false);
  });
  return fc.tuple(...bases, ...own).map((chains) => ({ name, chains }));
}

const made = new Map<string, fc.Arbitrary<readonly RandomTable[]>>();

/** Tables raw, mangle, nat and filter, each with user chains that jump forward only. */
export function randomRuleSet(family: Family): fc.Arbitrary<readonly RandomTable[]> {
  const known = made.get(family);
  if (known !== undefined) return known;
  const arbitrary = fc.tuple(
    table(family, "raw"),
    table(family, "mangle"),
    table(family, "nat"),
    table(family, "filter"),
  );
  made.set(family, arbitrary);
  return arbitrary;
}

/** As iptables-restore reads it. */
export function formatRuleSet(tables: readonly RandomTable[]): string {
  return tables
    .map(({ name, chains }) => {
      const rules = chains.flatMap((chain) =>
        chain.rules.map((one) =>
          ["-A", chain.name, ...one.matches, one.target].filter((part) => part !== "").join(" "),
        ),
      );
      return [
        `*${name}`,
        ...chains.map((chain) => `:${chain.name} ${chain.policy} [0:0]`),
        ...rules,
        "COMMIT",
        "",
      ].join("\n");
    })
    .join("");
}

/** A packet of its own, one like an earlier one, or the answer to an earlier one (counted back from here). */
export type RandomPacket =
  | {
      readonly kind: "fresh";
      readonly src: string;
      readonly dst: string;
      readonly protocol: number;
      readonly sport: number;
      readonly dport: number;
      readonly tcpFlags: number;
      readonly iif: "eth0" | "tun1" | "";
      readonly mark: number;
    }
  | { readonly kind: "again" | "reply"; readonly back: number; readonly tcpFlags: number }
  /** An ICMP error about an earlier packet, from where that went or from a router. */
  | { readonly kind: "error"; readonly back: number; readonly router: boolean; readonly type: number };

export function randomPacket(family: Family): fc.Arbitrary<RandomPacket> {
  const w = words[family];
  const src = fc.oneof(
    { weight: 3, arbitrary: pick(...w.pods) },
    { weight: 2, arbitrary: pick(...w.outside) },
    { weight: 1, arbitrary: pick(...w.own) },
  );
  const dst = pick(...w.addresses, ...w.addresses, ...w.pods, ...w.outside);
  const port = fc.oneof(
    { weight: 5, arbitrary: pick(...ports) },
    { weight: 1, arbitrary: pick(0, 1, 79, 81, 444, 1023, 1024, 65535) },
  );
  const fresh = pick(6, 6, 6, 17, 17, 132, family === "ip" ? 1 : 58, 50).chain((protocol) => {
    const icmp = protocol === 1 || protocol === 58;
    const types = family === "ip" ? [8, 8, 13, 0] : [128, 128, 129];
    return fc.record({
      kind: fc.constant("fresh" as const),
      src,
      dst,
      protocol: fc.constant(protocol),
      sport:
        protocol === 50
          ? fc.constant(0)
          : fc.oneof({ weight: 4, arbitrary: fc.integer({ min: 1024, max: 65535 }) }, { weight: 1, arbitrary: port }),
      dport: protocol === 50 ? fc.constant(0) : icmp ? pick(...types).map((type) => type << 8) : port,
      tcpFlags: protocol === 6 ? pick(2, 2, 2, 2, 16, 18, 4, 0, 24) : fc.constant(0),
      iif: pick("eth0" as const, "tun1" as const, "eth0" as const, "" as const),
      mark: pick(...marks),
    });
  });
  const follow = fc.record({
    kind: pick("again" as const, "reply" as const, "reply" as const),
    back: fc.integer({ min: 1, max: 5 }),
    tcpFlags: pick(2, 16, 18, 17, 4, 20),
  });
  const error = fc.record({
    kind: fc.constant("error" as const),
    back: fc.integer({ min: 1, max: 5 }),
    router: fc.boolean(),
    type: family === "ip" ? pick(0x303, 0x301, 0xb00, 0x304) : pick(0x104, 0x100, 0x300, 0x200),
  });
  return fc.oneof({ weight: 12, arbitrary: fresh }, { weight: 4, arbitrary: follow }, { weight: 1, arbitrary: error });
}
