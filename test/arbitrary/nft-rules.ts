/** Random nftables rule sets that `nft -f` accepts, as text over the supported language. */
import * as fc from "fast-check";
import type { Family } from "../../src/packet/address.js";
import { nftSets, nftWords } from "./nft-words.js";

/** A rule is its statements. */
export type NftRule = readonly string[];
export interface NftChain {
  readonly name: string;
  /** `type filter hook forward priority 0; policy accept;`; empty for a user chain. */
  readonly head: string;
  readonly rules: readonly NftRule[];
}
export interface NftTable {
  readonly family: string;
  readonly name: string;
  /** Definitions of sets and maps. */
  readonly sets: readonly string[];
  readonly chains: readonly NftChain[];
}

/** Where a rule stands. */
interface Place {
  readonly family: Family;
  readonly inet: boolean;
  /** Undefined in a user chain. */
  readonly hook: string | undefined;
  readonly type: "filter" | "nat" | "route" | "user";
  /** Chains it may jump to. */
  readonly later: readonly string[];
  /** Whether it may look at maps that jump to the last user chain. */
  readonly maps: boolean;
  readonly raw: boolean;
}

const pick = <T>(...values: readonly T[]): fc.Arbitrary<T> => fc.constantFrom(...values);
/** Joins the parts of a phrase with spaces; an empty part leaves no trace. */
const phrase = (...parts: readonly (string | fc.Arbitrary<string>)[]): fc.Arbitrary<string> =>
  fc
    .tuple(...parts.map((part) => (typeof part === "string" ? fc.constant(part) : part)))
    .map((all) => all.filter((part) => part !== "").join(" "));
const not = pick("", "", "", "!=");
/** `{ A, B }`: some of the values. */
const braces = (values: readonly string[]): fc.Arbitrary<string> =>
  fc
    .subarray([...values], { minLength: 1, maxLength: Math.min(4, values.length) })
    .map((some) => `{ ${some.join(", ")} }`);

type Protocol = "tcp" | "udp" | "sctp" | "icmp" | "";
const ported = (protocol: Protocol): boolean => protocol === "tcp" || protocol === "udp" || protocol === "sctp";

function addressTest({ family }: Place): fc.Arbitrary<string> {
  const w = nftWords[family];
  const field = pick(`${w.address} saddr`, `${w.address} daddr`);
  return fc.oneof(
    phrase(field, not, pick(...w.hosts, ...w.nets, ...w.wide)),
    phrase(field, not, pick("@hosts", "@nets", "@seen", "@lasting")),
    phrase(field, not, braces(w.nets)),
    phrase(field, not, braces(w.hosts)),
  );
}

function portTest(protocol: Protocol): fc.Arbitrary<string> {
  const field = phrase(pick(protocol, "th"), pick("dport", "dport", "sport"));
  return fc.oneof(
    phrase(field, not, pick("53", "80", "443", "80-443", "0-1023", "1024-65535")),
    phrase(field, pick("<", ">", "<=", ">="), pick("80", "443", "8080")),
    phrase(field, not, pick("@ports")),
    phrase(field, not, braces(["22", "53", "80", "443", "8080"])),
    phrase(field, not, braces(["22-80", "443", "1000-9000"])),
  );
}

/** Concatenated keys. */
function keyTest({ family }: Place, protocol: Protocol): fc.Arbitrary<string> {
  const { address, hosts, nets } = nftWords[family];
  const end = pick("saddr", "daddr");
  const all: fc.Arbitrary<string>[] = [
    phrase("iifname .", address, "saddr", not, `{ "eth0" . ${hosts[0]}, "tun1" . ${hosts[2]}, "tun1" . ${hosts[0]} }`),
    phrase("meta mark .", address, end, not, `{ 0x0 . ${hosts[0]}, 0x1 . ${hosts[1]}, 0x0 . ${hosts[5]} }`),
  ];
  if (ported(protocol)) {
    const port = pick(`. ${protocol} dport`, ". th dport", ". th sport");
    all.push(
      phrase(address, end, ". meta l4proto . th dport", not, "@services"),
      phrase(address, end, port, not, pick("@ranges", "@pairs")),
      phrase(
        address,
        end,
        port,
        not,
        `{ ${nets[0]} . 1-1023, ${nets[2]} . 80, ${nets[3]} . 443-8080, ${hosts[3]} . 53 }`,
      ),
      phrase("meta l4proto . th dport", not, "{ tcp . 80, udp . 53, sctp . 0-1023, tcp . 8000-9000 }"),
    );
  }
  return fc.oneof(...all);
}

function metaTest(place: Place): fc.Arbitrary<string> {
  const { hook, family, inet } = place;
  const { address, nfproto, hosts, wide } = nftWords[family];
  const device = pick('"eth0"', '"tun1"', '"tun*"', '"lo"', "@links", '{ "eth0", "lo" }');
  const comesIn = hook === undefined || hook === "prerouting" || hook === "input" || hook === "forward";
  const goesOut = hook === "forward" || hook === "output" || hook === "postrouting";
  const all: fc.Arbitrary<string>[] = [
    phrase("meta mark", not, pick("0x0", "0x1", "0x4000", "0x1-0x4000", "{ 0x0, 0x2 }", "{ 0x1-0x10, 0x4000 }")),
    phrase("meta mark &", pick("0x1", "0x3", "0x4000"), pick("==", "!="), pick("0x0", "0x1", "0x4000")),
    phrase("ct mark", not, pick("0x0", "0x1", "0x1-0x8")),
    phrase("ct state", not, pick("new", "established", "invalid", "untracked", "{ new, related }", "{ established }")),
    phrase("ct state", pick("new,established", "established,related", "invalid,untracked")),
    phrase(
      "ct status",
      pick("seen-reply", "assured", "confirmed", "seen-reply,confirmed", "dnat", "snat", "snat,dnat"),
    ),
    phrase("ct direction", not, pick("original", "reply")),
    phrase(`ct original ${address}`, pick("saddr", "daddr"), not, pick(...hosts, ...wide)),
    phrase(`ct reply ${address}`, pick("saddr", "daddr"), not, pick(...hosts, ...wide)),
    phrase("fib", pick("saddr", "daddr"), "type", not, pick("local", "unicast", "{ local, unicast }")),
    phrase("meta l4proto !=", pick("tcp", "udp", "{ tcp, udp }")),
    phrase("limit rate", pick("", "over"), "1/hour burst", pick("1", "3", "5"), "packets"),
  ];
  if (comesIn) all.push(phrase("iifname", not, device), phrase("iif", not, pick('"lo"', '"eth0"')));
  if (goesOut) all.push(phrase("oifname", not, device));
  if (inet) all.push(phrase("meta nfproto !=", pick("ipv4", "ipv6")), phrase("meta nfproto", nfproto));
  return fc.oneof(...all);
}

function transportTest(protocol: Protocol, { family }: Place): fc.Arbitrary<string> {
  const { icmp, icmpTypes, address } = nftWords[family];
  if (protocol === "icmp")
    return fc.oneof(
      phrase(icmp, "type", not, pick(...icmpTypes)),
      phrase(icmp, "type", not, braces(icmpTypes)),
      phrase(icmp, "code", not, pick("0", "1-3")),
    );
  if (!ported(protocol)) return pick("meta l4proto { tcp, udp }", "meta l4proto { udp, sctp }", "meta l4proto != icmp");
  const all = [portTest(protocol), portTest(protocol), portTest(protocol)];
  const hash = phrase(
    `jhash ${address} saddr . ${protocol} sport mod`,
    pick("2", "3", "7"),
    "seed",
    pick("0x1", "0xdeadbeef"),
    pick("0", "!= 0", "< 1"),
  );
  all.push(hash, phrase(`jhash ${protocol} dport mod 4 seed 0x12 offset 5`, pick("5", "!= 6", "{ 5, 7 }")));
  all.push(phrase(`ct original proto-dst`, not, pick("80", "80-443")).map((text) => text));
  if (protocol === "tcp")
    all.push(
      phrase("tcp flags &", pick("(syn | ack) == syn", "(syn | ack) != syn", "(fin | syn | rst | ack) == 0x0")),
      phrase("tcp flags", pick("syn", "!= syn", "ack", "{ syn, ack, syn | ack }")),
      phrase("meta length", not, pick("60", "0-59", "61-1500")),
    );
  return fc.oneof(...all);
}

/** Stands first: what a test of a protocol must not follow, as nft may list that test behind it. */
const counting = fc.oneof(
  phrase("numgen inc mod", pick("1 0", "2 0", "2 != 0", "3 < 2", "3 != 1")),
  phrase("numgen inc mod 4 offset 7", pick("8", "!= 8", "{ 7, 10 }", "7-8")),
);

/** At most one statement of a rule draws besides its last, and nothing that counts or remembers stands behind it: the trace would not tell. */
const random = pick(
  "numgen random mod 2 0",
  "numgen random mod 10 < 3",
  "numgen random mod 7 { 1-3, 6 }",
  "numgen random mod 5 offset 10 != 12",
  "numgen random mod 2147483648 < 1073741824",
  "meta random < 1431655765",
  "meta random & 2147483647 < 536870912",
);

function action(place: Place): fc.Arbitrary<string> {
  const { family, raw } = place;
  const { address } = nftWords[family];
  const all: fc.Arbitrary<string>[] = [
    pick("counter", 'log prefix "seen "', "counter"),
    phrase("meta mark set", pick("0x1", "0x4000", "meta mark | 0x3", "meta mark & 0xfffffffe", "meta mark ^ 0x4001")),
    phrase("meta mark set", pick("ct mark", "meta mark & 0xff | 0x10", "numgen inc mod 3 offset 1")),
    phrase("ct mark set", pick("0x1", "meta mark", "ct mark | 0x2", "meta mark & 0xf")),
    phrase(pick("update @seen", "add @seen", "add @lasting", "delete @lasting"), `{ ${address} saddr }`),
  ];
  if (raw) all.push(pick("notrack"));
  return fc.oneof(...all);
}

/** The end of a rule: a verdict, a translation, or a map of them, which may be followed by more. */
function end(place: Place, protocol: Protocol, remembers = true): fc.Arbitrary<readonly string[]> {
  const { family, inet, hook, type, later, maps } = place;
  const { address, hosts, nets, backends, sources, rejects, nfproto } = nftWords[family];
  const jumps = later.flatMap((chain) => [`jump ${chain}`, `jump ${chain}`, `goto ${chain}`]);
  const verdicts = ["accept", "return", "continue", ...jumps];
  const verdict = pick(...verdicts);
  const all: fc.Arbitrary<readonly string[]>[] = [pick([]), verdict.map((one) => [one])];
  if (jumps.length > 0)
    all.push(
      pick(...jumps).map((one) => [one]),
      pick(...jumps).map((one) => [one]),
    );
  if (type !== "nat" && protocol !== "") all.push(pick(["drop"]));
  const rejecting = hook === "input" || hook === "forward" || hook === "output";
  if (rejecting && protocol !== "" && type !== "nat" && !inet) {
    all.push(phrase("reject with", pick(...rejects)).map((one) => [one]));
    if (protocol === "tcp") all.push(pick(["meta l4proto tcp", "reject with tcp reset"]));
  }
  if (rejecting && protocol !== "" && type !== "nat" && inet)
    all.push(phrase("reject with icmpx", pick("port-unreachable", "admin-prohibited")).map((one) => [one]));
  const after = pick([], [], ["counter"], ["meta mark set meta mark ^ 0x8"]);
  const followed = (map: fc.Arbitrary<string>): fc.Arbitrary<readonly string[]> =>
    fc.tuple(map, after).map(([one, rest]) => [one, ...rest]);
  const three = fc.tuple(verdict, verdict, verdict);
  all.push(
    followed(
      three.map(([a, b, c]) => `${address} daddr vmap { ${hosts[0]} : ${a}, ${hosts[2]} : ${b}, ${hosts[5]} : ${c} }`),
    ),
    followed(
      three.map(([a, b, c]) => `${address} saddr vmap { ${nets[0]} : ${a}, ${nets[1]} : ${b}, ${nets[4]} : ${c} }`),
    ),
    followed(three.map(([a, b, c]) => `ct state vmap { new : ${a}, established : ${b}, invalid : ${c} }`)),
    followed(three.map(([a, b, c]) => `numgen random mod 3 vmap { 0 : ${a}, 1 : ${b}, 2 : ${c} }`)),
    followed(three.map(([a, b, c]) => `numgen random mod 9 vmap { 0-3 : ${a}, 5 : ${b}, 6-7 : ${c} }`)),
  );
  if (remembers) all.push(followed(three.map(([a, b]) => `numgen inc mod 3 vmap { 0 : ${a}, 2 : ${b} }`)));
  if (maps) {
    all.push(followed(fc.constant(`${address} daddr vmap @spans`)));
    if (ported(protocol)) all.push(followed(fc.constant("meta l4proto . th dport vmap @verdicts")));
  }
  if (ported(protocol)) {
    all.push(
      followed(
        three.map(([a, b, c]) => `meta l4proto . th dport vmap { tcp . 80 : ${a}, udp . 53 : ${b}, tcp . 443 : ${c} }`),
      ),
      followed(
        three.map(
          ([a, b, c]) =>
            `${address} daddr . ${protocol} dport vmap { ${nets[0]} . 1-1023 : ${a}, ${nets[3]} . 80 : ${b}, ${hosts[2]} . 443-8080 : ${c} }`,
        ),
      ),
      followed(three.map(([a]) => `jhash ${address} saddr mod 2 seed 0x5 vmap { 0 : ${a} }`)),
      pick(
        [`update @pairs { ${address} saddr . ${protocol} dport }`],
        [`${protocol} dport @ports meta mark set ${protocol} dport map @marks`],
      ),
      pick([`meta mark set ${protocol} dport map { 53 : 0x5, 80-443 : 0x50 }`]),
    );
  }
  const of = inet ? ` ${address}` : "";
  const wrap = (host: string): string => (family === "ip6" ? `[${host}]` : host);
  const proto = ported(protocol) ? [`meta l4proto ${protocol}`] : [];
  const onlyOwn = inet ? [`meta nfproto ${nfproto}`] : [];
  if (type === "nat" && (hook === "prerouting" || hook === "output")) {
    all.push(
      phrase(`dnat${of} to`, pick(...backends)).map((one) => [one]),
      pick([`dnat${of} to ${backends[0]}-${backends[2]}`], [`dnat${of} to ${backends[0]}-${backends[2]} persistent`]),
      pick([`dnat${of} to ${address} daddr map @backends`]),
      pick([`dnat${of} to numgen random mod 3 map { 0 : ${backends[0]}, 1 : ${backends[1]}, 2 : ${backends[2]} }`]),
      pick([`dnat${of} to numgen inc mod 2 map { 0 : ${backends[0]}, 1 : ${backends[1]} }`]),
    );
    if (ported(protocol))
      all.push(
        phrase(`dnat${of} to`, pick(`${wrap(backends[0]!)}:8080`, `${wrap(backends[1]!)}:80`)).map((one) => [
          ...proto,
          one,
        ]),
        pick(
          inet ? [...proto, "counter"] : [...proto, "dnat to :443"],
          [...onlyOwn, ...proto, "redirect to :8080"],
          [...onlyOwn, "redirect"],
        ),
        pick([...proto, ...onlyOwn, `redirect to :${protocol} dport map { 80 : 8080, 443 : 22 }`]),
        pick([...proto, `dnat ${address} addr . port to ${address} daddr . meta l4proto . th dport map @targets`]),
      );
  }
  if (type === "nat" && hook === "postrouting") {
    all.push(pick([...onlyOwn, "masquerade"], [...onlyOwn, "masquerade"]));
    if (ported(protocol))
      all.push(
        pick([...proto, ...onlyOwn, "masquerade fully-random"], [...proto, ...onlyOwn, "masquerade to :50000-50100"]),
      );
  }
  if (type === "nat" && (hook === "postrouting" || hook === "input")) {
    all.push(pick([`snat${of} to ${sources[0]}`], [`snat${of} to ${sources[0]}-${sources[1]}`]));
    if (ported(protocol)) all.push(pick([...proto, `snat${of} to ${wrap(sources[1]!)}:6000-6100`]));
  }
  return fc.oneof(...all);
}

/** nft 1.0.6 makes one comparison of two neighbouring fields that are not to be equal, whatever stands between: it holds where either differs. */
const unequal = /^(tcp|udp|sctp|th|icmp|icmpv6) (sport|dport|type|code) != ([^@{]+|\{ [^,]+ \})$/;
/** It lists "below a, above b" of one header as "not from a to b". */
const below = /^(tcp|udp|sctp|th) (sport|dport) <=? /;
const above = /^(tcp|udp|sctp|th) (sport|dport) >=? /;
const isMerged = (first: string, second: string): boolean =>
  (unequal.test(first) && unequal.test(second)) || (below.test(first) && above.test(second));

function rule(place: Place): fc.Arbitrary<NftRule> {
  return pick<Protocol>("", "", "tcp", "tcp", "udp", "sctp", "icmp").chain((protocol) => {
    const match = fc.oneof(
      addressTest(place),
      addressTest(place),
      keyTest(place, protocol),
      metaTest(place),
      metaTest(place),
      transportTest(protocol, place),
      transportTest(protocol, place),
    );
    const seldom = (part: fc.Arbitrary<string>, weight: number): fc.Arbitrary<readonly string[]> =>
      fc.oneof({ weight, arbitrary: fc.constant([]) }, { weight: 1, arbitrary: part.map((one) => [one]) });
    const named = protocol === "icmp" ? (place.family === "ip" ? "icmp" : "ipv6-icmp") : protocol;
    const header = protocol === "" ? [] : [`meta l4proto ${named}`];
    const last = fc.oneof(
      { weight: 5, arbitrary: end(place, protocol) },
      {
        weight: 1,
        arbitrary: fc.tuple(random, end(place, protocol, false)).map(([chance, rest]) => [chance, ...rest]),
      },
    );
    return fc
      .tuple(
        seldom(counting, 11),
        seldom(action(place), 5),
        fc.array(match, { maxLength: 2 }),
        seldom(action(place), 3),
        seldom(match, 6),
        last,
      )
      .map(([count, before, matches, then, later, rest]) => [
        ...count,
        ...header,
        ...before,
        ...matches,
        ...then,
        ...later,
        ...rest,
      ])
      .map((all) => all.filter((one, i) => !all.slice(0, i).some((before) => isMerged(before, one))))
      .map((all) => (all.length === 0 ? ["counter"] : all));
  });
}

interface Base {
  readonly type: "filter" | "nat" | "route";
  readonly hook: string;
  readonly priorities: readonly (number | string)[];
}

/** Priorities of a hook are drawn without repetition over all tables, apart from those of NAT and conntrack. */
const bases: readonly Base[] = [
  { type: "filter", hook: "prerouting", priorities: ["raw", "mangle", -110, -90, "filter", 20] },
  { type: "filter", hook: "input", priorities: ["mangle", "filter", 50, 110] },
  { type: "filter", hook: "forward", priorities: ["mangle", -5, "filter", 7] },
  { type: "filter", hook: "output", priorities: [-300, -120, "filter", 30] },
  { type: "route", hook: "output", priorities: [-150, 40] },
  { type: "filter", hook: "postrouting", priorities: ["mangle", "filter", 90, 120] },
  { type: "nat", hook: "prerouting", priorities: ["dstnat", -95, -105] },
  { type: "nat", hook: "output", priorities: [-100, -95] },
  { type: "nat", hook: "input", priorities: [100, 105] },
  { type: "nat", hook: "postrouting", priorities: ["srcnat", 95, 105] },
];

const USERS = ["user-a", "user-b", "user-c"] as const;

/** A table gets the first or second priority of each hook, so that no two tables share one. */
function table(family: Family, at: number): fc.Arbitrary<NftTable> {
  const inetOrOwn = pick(family === "ip" ? "ip" : "ip6", "inet");
  const chosen = fc.subarray([...bases], { minLength: at === 0 ? 3 : 1, maxLength: at === 0 ? 10 : 4 });
  return fc.tuple(inetOrOwn, chosen).chain(([own, some]) => {
    const common = { family, inet: own === "inet" };
    const base = some.map(({ type, hook, priorities }) =>
      fc.tuple(fc.nat(), fc.integer({ min: 0, max: 13 })).chain(([n, drop]) => {
        const fit = priorities.filter((_, i) => i % 2 === at);
        const priority = fit[n % fit.length]!;
        const policy = type === "filter" && drop === 13 ? "drop" : "accept";
        const place: Place = {
          ...common,
          hook,
          type,
          later: USERS,
          maps: true,
          raw: priority === "raw" || priority === -300,
        };
        const head = `type ${type} hook ${hook} priority ${priority}; policy ${policy};`;
        return fc
          .array(rule(place), { minLength: 1, maxLength: 5 })
          .map((rules): NftChain => ({ name: `${type}-${hook}`, head, rules }));
      }),
    );
    const users = USERS.map((name, i) => {
      const later = USERS.slice(i + 1);
      const place: Place = { ...common, hook: undefined, type: "user", later, maps: later.length > 0, raw: false };
      return fc.array(rule(place), { maxLength: 4 }).map((rules): NftChain => ({ name, head: "", rules }));
    });
    const numbers = fc.infiniteStream(fc.nat({ max: 0xffff }));
    return fc.tuple(numbers, ...users, ...base).map(([stream, ...chains]): NftTable => ({
      family: own,
      name: `t${at}`,
      sets: nftSets(family, (below) => (stream.next().value as number) % below, USERS[2]),
      chains,
    }));
  });
}

/** One table or two. */
export function arbitraryNft(family: Family): fc.Arbitrary<readonly NftTable[]> {
  return fc.oneof(fc.tuple(table(family, 0)), fc.tuple(table(family, 0), table(family, 1)));
}

/** The text that `nft -f` takes. */
export function formatNft(tables: readonly NftTable[]): string {
  return tables
    .map(({ family, name, sets, chains }) => {
      const chain = ({ name: chainName, head, rules }: NftChain): string =>
        `  chain ${chainName} {\n${[head, ...rules.map((statements) => statements.join(" "))]
          .filter((line) => line !== "")
          .map((line) => `    ${line}\n`)
          .join("")}  }\n`;
      // User chains that are jumped to come first, and maps that name them after those.
      const users = chains.filter(({ head }) => head === "").reverse();
      const own = chains.filter(({ head }) => head !== "");
      return `table ${family} ${name} {\n${sets.map((set) => `  ${set}\n`).join("")}${[...users, ...own].map(chain).join("")}}\n`;
    })
    .join("");
}
