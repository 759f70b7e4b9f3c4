import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { layoutOf, planSync, printNft, printRules, writeIptables } from "../../src/index.js";
import { type KernelCluster, writeNft } from "./cluster.js";
import { addMore, removeMore } from "./nft-change.js";
import type { Ruled } from "./tools.js";

/** A command that changes the rules of a namespace, and the file it reads from standard input. */
export interface Change {
  readonly words: readonly string[];
  readonly input: string;
}

/** How a variant's rules are made; what removes one service and adds it again, where there are services. */
export interface RuleChanges {
  /** Absent: there are no rules. */
  readonly load?: Change;
  readonly update?: { readonly remove: Change; readonly add: Change };
}

/** Conntrack is switched on by need: this needs it, and never drops. */
const CONNTRACK_ONLY = `*filter
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
-A FORWARD -m conntrack --ctstate INVALID -j RETURN
COMMIT
`;

/** Writes what a variant loads into a directory. What is removed and added is the service in the middle. */
export function writeRules(directory: string, variant: Ruled, cluster: KernelCluster): RuleChanges {
  const { ports, settings } = cluster;
  const place = ports.length >> 1;
  const without = ports.filter((_, i) => i !== place);
  const save = (what: string, text: string): string => {
    const path = join(directory, `${variant}-${ports.length}.${what}`);
    writeFileSync(path, text);
    return path;
  };
  switch (variant) {
    case "no-rules":
      return {};
    case "conntrack-only":
      return { load: { words: ["iptables-legacy-restore"], input: save("load", CONNTRACK_ONLY) } };
    case "iptables-legacy":
    case "iptables-nft": {
      const layout = layoutOf("v1.30");
      const sync = [`${variant}-restore`, "--noflush", "--counters"];
      const planned = (before: typeof ports, after: typeof ports) => planSync(before, after, settings, layout).text;
      return {
        load: {
          words: [`${variant}-restore`],
          input: save("load", printRules(writeIptables(ports, settings, layout))),
        },
        update: {
          remove: { words: sync, input: save("remove", planned(ports, without)) },
          add: { words: sync, input: save("add", planned(without, ports)) },
        },
      };
    }
    case "nft-maps": {
      const words = ["nft", "-f", "-"];
      const [all, less] = [ports, without].map((some) => writeNft({ ...cluster, ports: some }));
      return {
        load: { words, input: save("load", printNft(all!)) },
        update: {
          remove: { words, input: save("remove", removeMore(less!, all!)) },
          add: { words, input: save("add", addMore(less!, all!)) },
        },
      };
    }
  }
}
