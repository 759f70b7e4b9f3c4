import type { TableFamily, Verdict } from "../../../ruleset/types.js";
import type { StatementSyntax } from "../context.js";
import type { Lexer } from "../lexer.js";
import { NoSpelling } from "../operand.js";

type Reject = Extract<Verdict, { kind: "reject" }>;

/** The answers, named as iptables names them where it has them: the words of nft, and the name. */
const answers: readonly (readonly [protocol: string, code: string, name: string])[] = [
  ["icmp", "port-unreachable", "icmp-port-unreachable"],
  ["icmp", "net-unreachable", "icmp-net-unreachable"],
  ["icmp", "host-unreachable", "icmp-host-unreachable"],
  ["icmp", "prot-unreachable", "icmp-proto-unreachable"],
  ["icmp", "net-prohibited", "icmp-net-prohibited"],
  ["icmp", "host-prohibited", "icmp-host-prohibited"],
  ["icmp", "admin-prohibited", "icmp-admin-prohibited"],
  ["icmp", "frag-needed", "icmp-frag-needed"],
  ["icmpv6", "port-unreachable", "icmp6-port-unreachable"],
  ["icmpv6", "no-route", "icmp6-no-route"],
  ["icmpv6", "admin-prohibited", "icmp6-adm-prohibited"],
  ["icmpv6", "addr-unreachable", "icmp6-addr-unreachable"],
  ["icmpv6", "policy-fail", "icmp6-policy-fail"],
  ["icmpv6", "reject-route", "icmp6-reject-route"],
  ["icmpx", "port-unreachable", "icmpx-port-unreachable"],
  ["icmpx", "no-route", "icmpx-no-route"],
  ["icmpx", "host-unreachable", "icmpx-host-unreachable"],
  ["icmpx", "admin-prohibited", "icmpx-admin-prohibited"],
];

/** What `reject` alone answers, by the family of the table. */
const defaults: Readonly<Record<TableFamily, string>> = {
  ip: "icmp-port-unreachable",
  ip6: "icmp6-port-unreachable",
  inet: "icmpx-port-unreachable",
};

/** The family an answer restricts its rule to. */
export function familyOfAnswer(answer: string): "ip" | "ip6" | undefined {
  const protocol = answers.find(([, , name]) => name === answer)?.[0];
  return protocol === "icmp" ? "ip" : protocol === "icmpv6" ? "ip6" : undefined;
}

/** `reject`, `reject with icmp host-unreachable`, `reject with tcp reset` (src/statement.c). */
export const reject: StatementSyntax<Reject> = {
  kinds: ["reject"],
  words: ["reject"],
  read: (context) => {
    const { family } = context;
    const lexer: Lexer = context.lexer;
    lexer.next();
    if (!lexer.accept("with")) return { kind: "reject", with: defaults[family] };
    if (lexer.accept("tcp")) {
      lexer.expect("reset", "after tcp");
      return { kind: "reject", with: "tcp-reset" };
    }
    const at = lexer.start;
    const protocol = lexer.take("icmp, icmpv6, icmpx or tcp after with");
    lexer.accept("type");
    const choices = answers.filter(([one]) => one === protocol);
    if (choices.length === 0)
      lexer.fail("bad-reject", `reject answers with icmp, icmpv6, icmpx or tcp, not "${protocol}"`, at);
    const codeAt = lexer.start;
    const code = lexer.take("what to answer");
    const found = choices.find(([, one]) => one === code);
    if (found === undefined)
      lexer.fail(
        "bad-reject",
        `unknown answer "${code}": ${protocol} has ${choices.map(([, one]) => one).join(", ")}`,
        codeAt,
      );
    if (family !== "inet" && familyOfAnswer(found[2]) !== family)
      lexer.fail("bad-reject", `a table of family ${family} cannot answer with ${protocol}`, at);
    return { kind: "reject", with: found[2] };
  },
  print: (verdict, family) => {
    if (verdict.with === defaults[family]) return "reject";
    if (verdict.with === "tcp-reset") return "reject with tcp reset";
    const found = answers.find(([, , name]) => name === verdict.with);
    if (found === undefined) throw new NoSpelling(`the answer ${verdict.with}`);
    return `reject with ${found[0]} ${found[1]}`;
  },
};
