import { type Family, familyOf } from "../../packet/address.js";
import { contains, type MaskedAddress, parsePrefix } from "../../packet/prefix.js";
import { error, type Problem, ProblemError } from "../../ruleset/problem.js";
import type { RuleSet } from "../../ruleset/types.js";
import {
  type NodeFacts,
  PRIMARY_ADDRESS,
  type ProxyConfiguration,
  type Settings,
  settingsOf,
} from "../configuration.js";
import { ObjectCritic, type Report, throwErrors } from "../object-problem.js";
import type { KubernetesObject } from "../objects.js";
import { type ServicePort, servicePortsOf } from "../services.js";
import { parseSloppyPrefix } from "../sloppy-address.js";
import { Draft } from "./draft.js";
import { DEFAULT_NFTABLES_LAYOUT, type NftablesLayout } from "./layout.js";
import { writeServicePort } from "./service-rules.js";
import { writeStaticChains } from "./static-chains.js";

/**
 * The rule set kube-proxy in nftables mode leaves in the kernel for these objects, as `nft list ruleset` shows it: one table, of one
 * family. Services keep the order of the objects. Throws ProblemError on bad objects.
 */
export function generateNftables(
  objects: readonly KubernetesObject[],
  configuration: ProxyConfiguration,
  node: NodeFacts,
  family: Family = "ip",
  layout: NftablesLayout = DEFAULT_NFTABLES_LAYOUT,
): RuleSet {
  const ports = servicePortsOf(objects, family, node.name, layout.services);
  const settings = nftablesSettingsOf(configuration, node, family);
  return writeNftables(ports, settings, serviceCIDRsOf(objects, family), layout).ruleset;
}

/** A rule set with what is doubtful about it. */
export interface WrittenNftables {
  readonly ruleset: RuleSet;
  readonly problems: readonly Problem[];
}

/** The same from service ports that are already read. Throws ProblemError where kube-proxy of this version cannot write what is asked for. */
export function writeNftables(
  ports: readonly ServicePort[],
  settings: Settings,
  serviceCIDRs: readonly MaskedAddress[] = [],
  layout: NftablesLayout = DEFAULT_NFTABLES_LAYOUT,
): WrittenNftables {
  refuseLostDetector(settings, layout);
  const draft = new Draft(settings.family, layout.replacesElements);
  writeStaticChains(draft, layout, settings, serviceCIDRs);
  for (const port of ports) writeServicePort({ draft, layout, settings }, port);
  return { ruleset: draft.finish(), problems: draft.problems };
}

/**
 * A configuration worked out as nftables mode does: without nodePortAddresses the node's primary address alone serves node ports, and
 * loopback addresses never do.
 */
export function nftablesSettingsOf(configuration: ProxyConfiguration, node: NodeFacts, family: Family): Settings {
  const { nodePortAddresses } = configuration;
  const settings = settingsOf(
    { ...configuration, nodePortAddresses: nodePortAddresses.length === 0 ? [PRIMARY_ADDRESS] : nodePortAddresses },
    node,
    family,
  );
  const served = settings.nodePortAddresses?.filter((address) => !LOOPBACK.some((range) => contains(range, address)));
  return { ...settings, nodePortAddresses: served };
}

const LOOPBACK = [parsePrefix("127.0.0.0/8")!, parsePrefix("::1/128")!];

/** The prefixes of ServiceCIDR objects in a family: known to kube-proxy where it watches them (gate MultiCIDRServiceAllocator). */
export function serviceCIDRsOf(
  objects: readonly KubernetesObject[],
  family: Family,
  report: Report = throwErrors,
): MaskedAddress[] {
  const prefixes: MaskedAddress[] = [];
  for (const object of objects)
    if (object.kind === "ServiceCIDR")
      object.spec.cidrs.forEach((text, i) => {
        const prefix = parseSloppyPrefix(text);
        if (prefix === undefined) {
          const message = `${JSON.stringify(text)} is no prefix; write address/length`;
          new ObjectCritic(object, report).error("bad-prefix", ["spec", "cidrs", i], message);
        } else if (familyOf(prefix.value) === family) prefixes.push(prefix);
      });
  return prefixes;
}

/** By `iif` no beginning of a name can be asked for: nft refuses the rules such a kube-proxy writes. */
function refuseLostDetector({ detector }: Settings, { interfaces, version }: NftablesLayout): void {
  if (detector?.kind !== "interface" || !detector.prefix || interfaces === "iifname") return;
  const message = `detectLocalMode InterfaceNamePrefix does not work in nftables mode of this ${version}: nft refuses iif "${detector.name}*"; it does from v1.33.7, v1.34.3 and v1.35 on`;
  throw new ProblemError(error("lost-detector", message));
}
