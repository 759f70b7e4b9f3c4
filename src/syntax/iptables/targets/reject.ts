import type { Family } from "../../../packet/address.js";
import type { Verdict } from "../../../ruleset/types.js";
import type { TargetSyntax } from "../module.js";

/** The answers of each family, the default first, with the short names iptables also takes. */
const answers: Readonly<Record<Family, Readonly<Record<string, string>>>> = {
  ip: {
    "icmp-port-unreachable": "port-unreach",
    "icmp-net-unreachable": "net-unreach",
    "icmp-host-unreachable": "host-unreach",
    "icmp-proto-unreachable": "proto-unreach",
    "icmp-net-prohibited": "net-prohib",
    "icmp-host-prohibited": "host-prohib",
    "tcp-reset": "tcp-rst",
    "icmp-admin-prohibited": "admin-prohib",
  },
  ip6: {
    "icmp6-port-unreachable": "port-unreach",
    "icmp6-no-route": "no-route",
    "icmp6-adm-prohibited": "adm-prohibited",
    "icmp6-addr-unreachable": "addr-unreach",
    "tcp-reset": "tcp-reset",
    "icmp6-policy-fail": "policy-fail",
    "icmp6-reject-route": "reject-route",
  },
};

/** ipt_REJECT, ip6t_REJECT (extensions/libipt_REJECT.c, libip6t_REJECT.c). */
export const reject: TargetSyntax<Extract<Verdict, { kind: "reject" }>> = {
  kind: "reject",
  targets: { REJECT: { "--reject-with": { values: 1 } } },
  parse: (options) => {
    const known = Object.entries(answers[options.family]);
    const use = options.get("--reject-with");
    const answer =
      use === undefined ? known[0] : known.find(([name, alias]) => use.values[0] === name || use.values[0] === alias);
    if (answer === undefined) {
      const names = known.map(([name]) => name).join(", ");
      return options.fail("bad-reject", `unknown answer "${use?.values[0]}": --reject-with takes ${names}`, use);
    }
    return { kind: "reject", with: answer[0] };
  },
  print: (verdict) => ` -j REJECT --reject-with ${verdict.with}`,
};
