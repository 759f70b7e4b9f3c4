/** Bad use and bad input: each case says where and what, exits with 2, writes nothing to standard output and shows no stack. */
import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { chainwalk, type Files, NGINX_RULES, words } from "./command-line.js";

/** What a command line and its files give: the beginning of standard error. */
interface BadCase {
  readonly name: string;
  readonly words: string;
  readonly files?: Files;
  readonly says: RegExp;
}

const PACKET = "--src 10.0.0.1:1 --dst 10.0.0.2:2 --proto tcp";
const save = (...lines: string[]): string => ["*filter", ":INPUT ACCEPT [0:0]", ...lines, "COMMIT", ""].join("\n");

/** Rule texts that no command takes, all read by `print`. */
const rules = (name: string, text: string | Uint8Array, says: RegExp): BadCase => ({
  name,
  words: "print --rules r.rules",
  files: { "r.rules": text },
  says,
});
const use = (name: string, line: string, says: RegExp, files?: Files): BadCase => ({
  name,
  words: line,
  ...(files === undefined ? {} : { files }),
  says,
});
const flows = (name: string, text: string, says: RegExp): BadCase =>
  use(name, "explain --rules r.rules --flows f.json", says, { "r.rules": save(), "f.json": text });
const FLOW = { name: "a", srcIP: "10.0.0.1", srcPort: 1, dstIP: "10.0.0.2", dstPort: 2, protocol: "TCP" };
const flow = (change: object): string => JSON.stringify([{ ...FLOW, ...change }], undefined, 1);

const cases: readonly BadCase[] = [
  rules("a truncated file", "*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -j DR", /^r\.rules:3:\d+: /),
  rules("a file without its COMMIT", "*filter\n:INPUT ACCEPT [0:0]\n", /^r\.rules:2:\d+: .*COMMIT line is missing/),
  rules("an unknown option", save("-A INPUT -m tcp -p tcp --dprt 80 -j DROP"), /^r\.rules:3:\d+: .*--dprt/),
  rules("an undefined chain of a jump", save("-A INPUT -j NOWHERE"), /^r\.rules:3:\d+: .*NOWHERE/),
  rules("a rule of an undefined chain", save("-A NOWHERE -j DROP"), /^r\.rules:3:\d+: chain NOWHERE is not declared/),
  rules(
    "a loop of jumps",
    save(":A - [0:0]", ":B - [0:0]", "-A INPUT -j A", "-A A -j B", "-A B -j A"),
    /^r\.rules:7:1: the jumps A -> B -> A form a loop/,
  ),
  rules("a bad address", save("-A INPUT -s 10.0.0.256 -j DROP"), /^r\.rules:3:\d+: .*10\.0\.0\.256/),
  rules(
    "a probability of 1.5",
    save("-A INPUT -m statistic --mode random --probability 1.5 -j DROP"),
    /^r\.rules:3:\d+: .*1\.5/,
  ),
  rules("a port of 70000", save("-A INPUT -p tcp -m tcp --dport 70000 -j DROP"), /^r\.rules:3:\d+: .*70000/),
  rules("a binary file", new Uint8Array([0x7f, 0x45, 0x4c, 0x46, 0, 0, 1, 2]), /^r\.rules:1:5: .*binary/),
  rules("bytes that are no UTF-8", new Uint8Array([0x2a, 0x6e, 0xff, 0x0a]), /^r\.rules:1:3: .*UTF-8/),
  rules("an empty file", "", /^r\.rules:1:1: the input is empty/),
  rules("comments alone", "# nothing\n\n# here\n", /^r\.rules:1:1: the input holds no rules/),
  rules(
    "a line of a megabyte",
    save(`-A INPUT -m comment --comment "${"x".repeat(1 << 20)}" -j DROP`),
    /^r\.rules:3:\d+: /,
  ),
  rules("truncated gzip", gzipSync(save()).subarray(0, 30), /^r\.rules:1:1: .*truncated/),
  rules("an output of iptables -L", "Chain INPUT (policy ACCEPT)\n", /^r\.rules:1:1: .*iptables -L/),
  rules("prose", "Dear reader,\n", /^r\.rules:1:1: no known format/),
  rules("DNAT in the filter table", save("-A INPUT -p tcp -j DNAT --to-destination 10.0.0.9"), /^r\.rules:3:1: DNAT/),
  rules("a table twice", save() + save(), /^r\.rules:4:1: the table filter stands twice/),
  rules("damaged nftables", "table ip nat {\n\tchain a {\n\t\tacept\n\t}\n}\n", /^r\.rules:3:3: .*"acept"/),
  use("a missing file", "print --rules missing.rules", /^missing\.rules:1:1: cannot read it: there is no such file/),
  use("a directory", "services --rules .", /^\.:1:1: cannot read it: this is a directory/),
  use("no command", "", /^chainwalk: no command is given/),
  use("an unknown command", "trcae", /^chainwalk: unknown command 'trcae' \(Did you mean trace\?\)/),
  use("help of an unknown command", "help trcae", /^chainwalk: unknown command 'trcae'/),
  use("an unknown option", `trace --rules ${NGINX_RULES} ${PACKET} --sed 1`, /^chainwalk: unknown option '--sed'/),
  use("a missing option", `trace ${PACKET}`, /^chainwalk: required option '--rules <file>' not specified/),
  use("too many arguments", `print --rules ${NGINX_RULES} more`, /^chainwalk: too many arguments/),
  use(
    "a bad --src",
    `trace --rules ${NGINX_RULES} --src here --dst 1.1.1.1:1 --proto tcp`,
    /^chainwalk: .*--src.* 'here'/,
  ),
  use(
    "a --dst without port",
    `trace --rules ${NGINX_RULES} --src 1.1.1.1:1 --dst 1.1.1.2 --proto tcp`,
    /^chainwalk: --dst needs a port/,
  ),
  use(
    "a port of a protocol without",
    `trace --rules ${NGINX_RULES} --src 1.1.1.1:1 --dst 1.1.1.2 --proto icmp`,
    /^chainwalk: --src names a port/,
  ),
  use(
    "two families",
    `trace --rules ${NGINX_RULES} --src 1.1.1.1:1 --dst [fd00::1]:1 --proto tcp`,
    /^chainwalk: .*different families/,
  ),
  use(
    "the rules' other family",
    `trace --rules ${NGINX_RULES} --src [fd00::2]:1 --dst [fd00::1]:1 --proto tcp`,
    /^chainwalk: the packet is IPv6, but .* IPv4 only/,
  ),
  use(
    "an unknown protocol",
    `trace --rules ${NGINX_RULES} --src 1.1.1.1:1 --dst 1.1.1.2:1 --proto tpc`,
    /^chainwalk: .*'tpc'/,
  ),
  use(
    "an unknown engine",
    `trace --rules ${NGINX_RULES} ${PACKET} --engine fast`,
    /^chainwalk: .*'fast'.*linear, indexed/,
  ),
  use("a bad --ct-state", `trace --rules ${NGINX_RULES} ${PACKET} --ct-state old`, /^chainwalk: .*'old'.*established/),
  use(
    "a bad --hook",
    `trace --rules ${NGINX_RULES} ${PACKET} --hook input`,
    /^chainwalk: .*'input'.*prerouting, output/,
  ),
  use("--iif at output", `trace --rules ${NGINX_RULES} ${PACKET} --hook output --iif eth0`, /^chainwalk: --iif/),
  use("a bad --route", `trace --rules ${NGINX_RULES} ${PACKET} --route 10.0.0.0/8`, /^chainwalk: .*CIDR=INTERFACE/),
  use("a bad --node-ip", `trace --rules ${NGINX_RULES} ${PACKET} --node-ip node`, /^chainwalk: .*'node'/),
  use("a bad --mark", `trace --rules ${NGINX_RULES} ${PACKET} --mark 0x100000000`, /^chainwalk: .*0x4000/),
  use("a bad --seed", `trace --rules ${NGINX_RULES} ${PACKET} --seed -1`, /^chainwalk: .*'-1'/),
  use(
    "an --assume of no line",
    `trace --rules ${NGINX_RULES} ${PACKET} --assume 3=yes`,
    /^chainwalk: --assume 3: no rule/,
  ),
  use("bad ipsets", `trace --rules ${NGINX_RULES} ${PACKET} --ipsets s`, /^s:1:1: expected "create NAME/, {
    s: "dda a 10.0.0.1\n",
  }),
  use("standard input twice", "explain --rules - --flows -", /^chainwalk: standard input can be read only once/, {
    "-": save(),
  }),
  use(
    "an unknown match that is reached",
    `trace --rules r ${PACKET} --node-ip 10.0.0.2`,
    /^r:3:1: the match "bpf" is not known/,
    {
      r: save('-A INPUT -m bpf --bytecode "1,6 0 0 0" -j DROP'),
    },
  ),
  use("no packet to explain", "explain --rules r.rules", /^chainwalk: say which packet/),
  use("half a packet", "explain --rules r.rules --src 1.1.1.1:1 --proto tcp", /^chainwalk: --dst must be given/),
  use("a packet beside flows", `explain --rules r.rules --flows f ${PACKET}`, /^chainwalk: --flows stands instead/),
  flows("flows that are no JSON", "[{]", /^f\.json:1:3: this is no JSON/),
  flows("truncated flows", '[{"name": "a",\n "srcIP": "10.0.0.1"', /^f\.json:2:21: this is no JSON: .*truncated/),
  flows("flows that are no list", "{}", /^f\.json:1:1: expected a list/),
  flows("a flow that is no object", "[\n 1]", /^f\.json:2:2: a flow is an object/),
  flows("a flow without a name", flow({ name: undefined }), /^f\.json:2:2: the flow has no name/),
  flows("a flow with a bad address", flow({ dstIP: "10.0.0" }), /^f\.json:6:12: dstIP is no IP address/),
  flows("a flow with a bad port", flow({ dstPort: "80" }), /^f\.json:7:14: dstPort is a whole number/),
  flows("a flow with a bad hook", flow({ hook: "FORWARD" }), /^f\.json:9:11: a flow enters at/),
  flows("a flow of two families", flow({ srcIP: "fd00::1" }), /^f\.json:6:12: .*different families/),
  flows("a flow of the wrong ipFamily", flow({ ipFamily: "IPv6" }), /^f\.json:9:15: ipFamily does not fit/),
  flows(
    "a flow of the rules' other family",
    flow({ srcIP: "fd00::1", dstIP: "fd00::2" }),
    /^f\.json:2:2: the packet is IPv6/,
  ),
  flows("two flows of one name", JSON.stringify([FLOW, FLOW]), /^f\.json:1:\d+: the name "a" stands twice/),
  use("an unknown format", `print --rules ${NGINX_RULES} --format yaml`, /^chainwalk: .*'yaml'/),
  use("an unknown table", `print --rules ${NGINX_RULES} --table nut`, /^chainwalk: .*'nut'.*mangle/),
  use("an unknown input format", `print --rules ${NGINX_RULES} --from ipfw`, /^chainwalk: .*'ipfw'.*iptables-save/),
  use(
    "a service there is not",
    `check --rules ${NGINX_RULES} --service web`,
    /^chainwalk: --service web: the rules hold no such/,
  ),
  use("no samples", `check --rules ${NGINX_RULES} --service nginx --samples 0`, /^chainwalk: .*'0'/),
  use("an alpha of 2", `check --rules ${NGINX_RULES} --service nginx --alpha 2`, /^chainwalk: .*'2'/),
  use("no number of services", "generate", /^chainwalk: required option '--services/),
  use(
    "ranges that overlap",
    "generate --services 2 --pod-cidr 172.16.0.0/16",
    /^chainwalk: pod CIDR and service CIDR overlap/,
  ),
  use(
    "a version that is not known",
    "generate --services 2 --kube-proxy-version v1.20",
    /^chainwalk: .*nearest is v1\.17/,
  ),
  use("a mode that is not there", "generate --services 2 --mode ipvs", /^chainwalk: .*'ipvs'.*iptables, nftables/),
  use("a bad mix of protocols", "generate --services 2 --protocols tcp=1,http=2", /^chainwalk: .*tcp=90/),
  use("a stage there is not", `compile --rules ${NGINX_RULES} --stage link`, /^chainwalk: .*'link'.*partition/),
  use("a stage as JSON", `compile --rules ${NGINX_RULES} --stage pick --json`, /^chainwalk: --stage prints text/),
];

describe("bad use and bad input", () => {
  for (const { name, words: line, files, says } of cases) {
    it(name, async () => {
      const { exitCode, stdout, stderr } = await chainwalk(words(line), files);
      expect(stderr).toMatch(says);
      expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: "" });
      expect(stderr).not.toMatch(/\n\s+at |Error:|undefined|\[object/);
      expect(stderr.length).toBeLessThan(1000);
    });
  }

  it("shows the line and a caret under the place", async () => {
    const { stderr } = await chainwalk(words("print --rules r"), { r: save("-A INPUT -s 10.0.0.256 -j DROP") });
    const [message, line, caret] = stderr.split("\n") as [string, string, string];
    const column = Number(/^r:3:(\d+): /.exec(message)![1]);
    expect(line).toBe("-A INPUT -s 10.0.0.256 -j DROP");
    expect(caret).toBe(`${" ".repeat(column - 1)}^`);
    expect(line.slice(column - 1)).toMatch(/^(-s )?10\.0\.0\.256/);
  });

  it("says where the help is after bad use", async () => {
    const { stderr } = await chainwalk(words("trace --frobnicate"));
    expect(stderr.split("\n")[1]).toBe('See "chainwalk trace --help".');
  });
});
