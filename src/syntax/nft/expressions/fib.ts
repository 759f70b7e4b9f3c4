/** What the routing table says of an address (src/fib.c). Asked about the address alone, or with `. iif` or `. oif` about one interface. */
import { selector, type SelectorGroup } from "../selector.js";

export const fib: SelectorGroup = {
  selectors: [
    selector("fib saddr type", "fib_addrtype", { field: "saddr-type" }),
    selector("fib daddr type", "fib_addrtype", { field: "daddr-type" }),
    ...(["saddr", "daddr"] as const).flatMap((end) =>
      (["iif", "oif"] as const).map((limit) =>
        selector(`fib ${end} . ${limit} type`, "fib_addrtype", { field: `${end}-type`, spelled: limit }),
      ),
    ),
  ],
  foreign: ["fib"],
};
