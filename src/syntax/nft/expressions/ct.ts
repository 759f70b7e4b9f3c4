/** What conntrack knows of the packet's connection (src/ct.c). */
import type { FieldName } from "../../../ruleset/types.js";
import { type Selector, selector, type SelectorGroup } from "../selector.js";

const ends = (["original", "reply"] as const).flatMap((direction): Selector[] => [
  ...(["saddr", "daddr"] as const).flatMap((end): Selector[] => {
    const field: FieldName = `ct-${direction}-${end}`;
    return [
      selector(`ct ${direction} ip ${end}`, "ipv4_addr", { field, family: "ip" }),
      selector(`ct ${direction} ip6 ${end}`, "ipv6_addr", { field, family: "ip6" }),
    ];
  }),
  selector(`ct ${direction} proto-src`, "inet_service", { field: `ct-${direction}-sport` }),
  selector(`ct ${direction} proto-dst`, "inet_service", { field: `ct-${direction}-dport` }),
]);

export const ct: SelectorGroup = {
  selectors: [
    selector("ct state", "ct_state", { field: "ct-state" }),
    selector("ct status", "ct_status", { field: "ct-status" }),
    selector("ct direction", "ct_dir", { field: "ct-direction" }),
    selector("ct mark", "mark", { field: "ctmark" }),
    selector(
      "ct protocol",
      "inet_proto",
      { field: "ct-protocol" },
      { also: ["ct original protocol", "ct reply protocol"] },
    ),
    ...ends,
  ],
  foreign: [
    ..."expiration helper l3proto proto-src proto-dst secmark id label bytes packets avgpkt zone count timeout event eventmask expectation"
      .split(" ")
      .map((word) => `ct ${word}`),
    ...["original", "reply"].flatMap((way) =>
      ["bytes", "packets", "avgpkt", "zone", "l3proto"].map((word) => `ct ${way} ${word}`),
    ),
    "rt",
  ],
};
