/** What the kernel knows of a packet besides its bytes (src/meta.c). */
import { selector, type SelectorGroup } from "../selector.js";

export const meta: SelectorGroup = {
  selectors: [
    selector("meta l4proto", "inet_proto", { field: "protocol" }),
    selector("meta nfproto", "nf_proto", { field: "nfproto" }),
    selector("iifname", "ifname", { field: "iif" }, { also: ["meta iifname"] }),
    selector("oifname", "ifname", { field: "oif" }, { also: ["meta oifname"] }),
    selector("iif", "iface_index", { field: "iif", spelled: "iif" }, { also: ["meta iif"] }),
    selector("oif", "iface_index", { field: "oif", spelled: "oif" }, { also: ["meta oif"] }),
    selector("meta mark", "mark", { field: "mark" }, { also: ["mark"] }),
    selector("meta length", "integer", { field: "length" }),
    selector("meta random", "integer", { field: "random" }),
  ],
  foreign: [
    ...(
      "protocol priority skuid skgid nftrace rtclassid secmark pkttype cpu iiftype oiftype iifgroup oifgroup cgroup iifkind oifkind " +
      "ibrname obrname ibrpvid ibrvproto sdif sdifname time day hour ipsec"
    )
      .split(" ")
      .map((word) => `meta ${word}`),
    ..."skuid skgid pkttype iiftype oiftype iifgroup oifgroup cgroup rtclassid nftrace ibrname obrname".split(" "),
    ..."socket osf ipsec symhash".split(" "),
  ],
};
