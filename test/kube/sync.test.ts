import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseAddress } from "../../src/packet/address.js";
import { DEFAULT_CONFIGURATION, settingsOf } from "../../src/kube/configuration.js";
import { LAYOUTS, type Layout, type LayoutName } from "../../src/kube/iptables-mode/layout.js";
import { applySync, planSync, type Sync } from "../../src/kube/iptables-mode/sync.js";
import { writeIptables } from "../../src/kube/iptables-mode/write.js";
import type { KubernetesObject } from "../../src/kube/objects.js";
import { type ServicePort, servicePortsOf } from "../../src/kube/services.js";
import { printRules } from "../../src/syntax/iptables/printer.js";
import { readIptables } from "../../src/syntax/iptables/reader.js";
import { arbitraryCluster, HERE } from "./arbitrary-cluster.js";
import { webService, webSlice } from "./objects.js";

const node = { ...HERE, addresses: [parseAddress("192.168.0.2")!] };
const settings = settingsOf({ ...DEFAULT_CONFIGURATION, clusterCIDR: "10.0.0.0/8" }, node, "ip");

function portsOf(objects: readonly KubernetesObject[], layout: Layout): ServicePort[] {
  return servicePortsOf(objects, "ip", node.name, layout.services);
}

function plan(before: readonly KubernetesObject[], after: readonly KubernetesObject[], name: LayoutName): Sync {
  const layout = LAYOUTS[name];
  return planSync(portsOf(before, layout), portsOf(after, layout), settings, layout);
}

/** The rules a text for iptables-restore --noflush holds, as iptables-save prints them, by chain. */
function readSent(text: string): Map<string, string[]> {
  const declared = text.replace(/^-X .*\n/gm, "");
  const { ruleset, problems } = readIptables(declared, { form: "save", family: "ip", table: "nat" });
  expect(problems.filter((one) => one.code !== "undefined-chain")).toEqual([]);
  return linesOf(printRules(ruleset));
}

function linesOf(text: string): Map<string, string[]> {
  const chains = new Map<string, string[]>();
  let table = "";
  for (const line of text.split("\n")) {
    if (line.startsWith("*")) table = line.slice(1);
    else if (line.startsWith(":")) chains.set(`${table} ${line.slice(1).split(" ")[0]}`, []);
    else if (line.startsWith("-A ")) chains.get(`${table} ${line.split(" ")[1]}`)!.push(line);
  }
  return chains;
}

describe("what is sent when objects change", () => {
  it.each(Object.keys(LAYOUTS) as LayoutName[])(
    "laws of %s: the sync turns the old rules into the new, and its text says what it does",
    (name) => {
      const layout = LAYOUTS[name];
      const clusters = fc.tuple(arbitraryCluster("ip"), arbitraryCluster("ip"), fc.nat(20));
      fc.assert(
        fc.property(clusters, ([one, other, cut]) => {
          const after = [...one.slice(0, cut), ...other.slice(cut)];
          const sync = plan(one, after, name);
          const old = writeIptables(portsOf(one, layout), settings, layout);
          const next = writeIptables(portsOf(after, layout), settings, layout);
          const applied = applySync(old, sync);
          expect(printRules(applied)).toBe(printRules(next));
          const [sent, whole] = [readSent(sync.text), linesOf(printRules(next))];
          for (const { table, chains } of sync.tables)
            for (const chain of chains)
              expect(sent.get(`${table} ${chain.name}`)).toEqual(whole.get(`${table} ${chain.name}`));
          expect(sync.lines).toBe(sync.text.split("\n").length - 1);
          const nothing = plan(one, one, name);
          expect(nothing.changed).toEqual([]);
          expect(printRules(applySync(old, nothing))).toBe(printRules(old));
        }),
        { numRuns: 40 },
      );
    },
  );

  it("another set of endpoints rewrites the chains of its service alone, as kube-proxy v1.30 spells them", () => {
    const other = { name: "other", namespace: "ns" };
    const rest = [
      webService({ clusterIP: "172.30.0.2" }, { metadata: other }),
      webSlice(["10.0.1.1"], { metadata: { ...other, labels: { "kubernetes.io/service-name": "other" } } }),
    ];
    const before = [webService(), webSlice(["10.0.0.1"]), ...rest];
    const sync = plan(before, [webService(), webSlice(["10.0.0.2", "10.0.0.3"]), ...rest], "v1.30");
    expect(sync.changed).toEqual(["ns/web"]);
    expect(sync.text).toBe(`*filter
:KUBE-EXTERNAL-SERVICES - [0:0]
:KUBE-FIREWALL - [0:0]
:KUBE-FORWARD - [0:0]
:KUBE-NODEPORTS - [0:0]
:KUBE-PROXY-FIREWALL - [0:0]
:KUBE-SERVICES - [0:0]
-A KUBE-FIREWALL -m comment --comment "block incoming localnet connections" -d 127.0.0.0/8 ! -s 127.0.0.0/8 -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP
-A KUBE-FORWARD -m conntrack --ctstate INVALID -j DROP
-A KUBE-FORWARD -m comment --comment "kubernetes forwarding rules" -m mark --mark 0x00004000/0x00004000 -j ACCEPT
-A KUBE-FORWARD -m comment --comment "kubernetes forwarding conntrack rule" -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
COMMIT
*nat
:KUBE-MARK-MASQ - [0:0]
:KUBE-NODEPORTS - [0:0]
:KUBE-POSTROUTING - [0:0]
:KUBE-SEP-4DOB23WNNREV5YSY - [0:0]
:KUBE-SEP-M7MTG2ESLBFVHSNQ - [0:0]
:KUBE-SERVICES - [0:0]
:KUBE-SVC-HMALVVKA6APKJPPY - [0:0]
:KUBE-SEP-WCT52BO7OZ5OM35O - [0:0]
-A KUBE-MARK-MASQ -j MARK --or-mark 0x00004000
-A KUBE-POSTROUTING -m mark ! --mark 0x00004000/0x00004000 -j RETURN
-A KUBE-POSTROUTING -j MARK --xor-mark 0x00004000
-A KUBE-POSTROUTING -m comment --comment "kubernetes service traffic requiring SNAT" -j MASQUERADE --random-fully
-A KUBE-SEP-4DOB23WNNREV5YSY -m comment --comment ns/web:http -s 10.0.0.2 -j KUBE-MARK-MASQ
-A KUBE-SEP-4DOB23WNNREV5YSY -m comment --comment ns/web:http -m tcp -p tcp -j DNAT --to-destination 10.0.0.2:8080
-A KUBE-SEP-M7MTG2ESLBFVHSNQ -m comment --comment ns/web:http -s 10.0.0.3 -j KUBE-MARK-MASQ
-A KUBE-SEP-M7MTG2ESLBFVHSNQ -m comment --comment ns/web:http -m tcp -p tcp -j DNAT --to-destination 10.0.0.3:8080
-A KUBE-SERVICES -m comment --comment "ns/web:http cluster IP" -m tcp -p tcp -d 172.30.0.1 --dport 80 -j KUBE-SVC-HMALVVKA6APKJPPY
-A KUBE-SERVICES -m comment --comment "ns/other:http cluster IP" -m tcp -p tcp -d 172.30.0.2 --dport 80 -j KUBE-SVC-EFDG6ZBZWVRELM2O
-A KUBE-SERVICES -m comment --comment "kubernetes service nodeports; NOTE: this must be the last rule in this chain" -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS
-A KUBE-SVC-HMALVVKA6APKJPPY -m comment --comment "ns/web:http cluster IP" -m tcp -p tcp -d 172.30.0.1 --dport 80 ! -s 10.0.0.0/8 -j KUBE-MARK-MASQ
-A KUBE-SVC-HMALVVKA6APKJPPY -m comment --comment "ns/web:http -> 10.0.0.2:8080" -m statistic --mode random --probability 0.5000000000 -j KUBE-SEP-4DOB23WNNREV5YSY
-A KUBE-SVC-HMALVVKA6APKJPPY -m comment --comment "ns/web:http -> 10.0.0.3:8080" -j KUBE-SEP-M7MTG2ESLBFVHSNQ
-X KUBE-SEP-WCT52BO7OZ5OM35O
COMMIT
`);
  });

  it("v1.26 and older send all chains every time", () => {
    const objects = [webService(), webSlice(["10.0.0.1"])];
    expect(plan(objects, objects, "v1.26")).toMatchObject({ kind: "full", changed: [] });
    expect(plan(objects, objects, "v1.26").text).toContain("KUBE-SVC-HMALVVKA6APKJPPY");
    expect(plan(objects, objects, "v1.30").text).not.toContain(":KUBE-SVC-HMALVVKA6APKJPPY");
  });
});
