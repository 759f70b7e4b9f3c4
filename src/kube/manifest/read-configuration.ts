import { familyOf } from "../../packet/address.js";
import { prefixLength } from "../../packet/prefix.js";
import { error, type Problem, ProblemError, warning } from "../../ruleset/problem.js";
import { decodeInput } from "../../syntax/input.js";
import {
  DEFAULT_CONFIGURATION,
  type DetectLocalMode,
  PRIMARY_ADDRESS,
  type ProxyConfiguration,
} from "../configuration.js";
import { formatPath, type ObjectPath } from "../object-problem.js";
import { parseSloppyPrefix } from "../sloppy-address.js";
import { type ManifestDocument, readDocuments } from "./documents.js";
import { configurationSchema, describeValue, mismatches } from "./schemas.js";

export type ProxyMode = "iptables" | "nftables" | "ipvs";

/** What a KubeProxyConfiguration says. */
export interface ReadConfiguration {
  readonly configuration: ProxyConfiguration;
  /** Undefined where the file leaves it open: iptables. */
  readonly mode: ProxyMode | undefined;
  /** hostnameOverride: the name of the node. */
  readonly nodeName: string | undefined;
  /** conntrack.tcpBeLiberal (v1.29 and later): kube-proxy sets nf_conntrack_tcp_be_liberal itself. */
  readonly conntrackBeLiberal: boolean;
  /** Where one is an error, the rest must not be used. */
  readonly problems: readonly Problem[];
  readonly text?: string;
}

/** The fields of the file that are read; others are ignored. */
interface Fields {
  readonly mode?: string;
  readonly hostnameOverride?: string;
  readonly clusterCIDR?: string;
  readonly detectLocalMode?: string;
  readonly detectLocal?: { readonly bridgeInterface?: string; readonly interfaceNamePrefix?: string };
  readonly nodePortAddresses?: readonly string[];
  readonly iptables?: RuleFields & { readonly localhostNodePorts?: boolean };
  readonly nftables?: RuleFields;
  readonly conntrack?: { readonly tcpBeLiberal?: boolean };
}

interface RuleFields {
  readonly masqueradeAll?: boolean;
  readonly masqueradeBit?: number;
}

const MODES: readonly ProxyMode[] = ["iptables", "nftables", "ipvs"];
const LOCAL_MODES: readonly DetectLocalMode[] = [
  "ClusterCIDR",
  "NodeCIDR",
  "BridgeInterface",
  "InterfaceNamePrefix",
  "None",
];

/**
 * Reads a KubeProxyConfiguration (kubeproxy.config.k8s.io/v1alpha1), JSON or YAML, gzipped or not; of several documents that one. `mode`
 * overrides the file's: it decides whose masquerade settings count. Checks what kube-proxy checks (pkg/proxy/apis/config/validation).
 * Nothing is thrown for bad input: see `problems`.
 */
export function readConfiguration(input: Uint8Array | string, mode?: ProxyMode): ReadConfiguration {
  const decoded = decodeInput(input);
  if ("problem" in decoded) return nothing([decoded.problem]);
  const { text } = decoded;
  try {
    const document = findDocument(readDocuments(text));
    return { ...new ConfigurationReader(document).read(mode), text };
  } catch (failure) {
    if (!(failure instanceof ProblemError)) throw failure;
    return { ...nothing(failure.problems), text };
  }
}

function nothing(problems: readonly Problem[]): ReadConfiguration {
  return {
    configuration: DEFAULT_CONFIGURATION,
    mode: undefined,
    nodeName: undefined,
    conntrackBeLiberal: false,
    problems,
  };
}

function findDocument(documents: readonly ManifestDocument[]): ManifestDocument {
  const kindOf = ({ value }: ManifestDocument): unknown => (value as { kind?: unknown } | undefined)?.kind;
  const found = documents.find((document) => kindOf(document) === "KubeProxyConfiguration");
  if (found !== undefined) return found;
  const first = documents[0];
  if (first === undefined)
    throw new ProblemError(
      error("empty-input", "the input is empty: a KubeProxyConfiguration is expected", { line: 1, column: 1 }),
    );
  const message = `kind: expected KubeProxyConfiguration, found ${describeValue(first.value, ["kind"])}`;
  throw new ProblemError(error("bad-configuration", message, first.locate(["kind"])));
}

class ConfigurationReader {
  private readonly problems: Problem[] = [];
  private readonly fields: Fields;

  constructor(private readonly document: ManifestDocument) {
    this.fields = document.value as Fields;
  }

  read(override: ProxyMode | undefined): ReadConfiguration {
    for (const { path, expected } of mismatches(configurationSchema, this.document.value))
      this.wrong(path, `expected ${expected}, found ${describeValue(this.document.value, path)}`);
    if (this.problems.length > 0) return nothing(this.problems);
    const { fields } = this;
    const mode = this.mode();
    const section = (override ?? mode) === "nftables" ? fields.nftables : fields.iptables;
    const clusterCIDR = this.prefixes(["clusterCIDR"], fields.clusterCIDR ?? "");
    (fields.nodePortAddresses ?? []).forEach((text, i, all) => {
      if (text !== PRIMARY_ADDRESS || all.length > 1) this.prefix(["nodePortAddresses", i], text);
    });
    const configuration: ProxyConfiguration = {
      clusterCIDR,
      detectLocalMode: this.localMode(),
      bridgeInterface: fields.detectLocal?.bridgeInterface ?? "",
      interfaceNamePrefix: fields.detectLocal?.interfaceNamePrefix ?? "",
      nodePortAddresses: fields.nodePortAddresses ?? [],
      masqueradeAll: section?.masqueradeAll ?? DEFAULT_CONFIGURATION.masqueradeAll,
      masqueradeBit: section?.masqueradeBit ?? DEFAULT_CONFIGURATION.masqueradeBit,
      localhostNodePorts: fields.iptables?.localhostNodePorts ?? DEFAULT_CONFIGURATION.localhostNodePorts,
    };
    return {
      configuration,
      mode,
      nodeName: fields.hostnameOverride === "" ? undefined : fields.hostnameOverride?.trim().toLowerCase(),
      conntrackBeLiberal: fields.conntrack?.tcpBeLiberal ?? false,
      problems: this.problems,
    };
  }

  private mode(): ProxyMode | undefined {
    const { mode = "" } = this.fields;
    if (mode === "") return undefined;
    const found = MODES.find((one) => one === mode);
    if (found === undefined)
      this.wrong(["mode"], `unknown mode ${JSON.stringify(mode)}: expected one of ${MODES.join(", ")}`);
    return found;
  }

  private localMode(): DetectLocalMode {
    const { detectLocalMode = "", detectLocal } = this.fields;
    const found = LOCAL_MODES.find((one) => one.toLowerCase() === detectLocalMode.toLowerCase());
    if (detectLocalMode === "") return DEFAULT_CONFIGURATION.detectLocalMode;
    if (found === undefined) {
      const message = `unknown mode ${JSON.stringify(detectLocalMode)}: expected one of ${LOCAL_MODES.join(", ")}`;
      this.wrong(["detectLocalMode"], message);
      return DEFAULT_CONFIGURATION.detectLocalMode;
    }
    if (found === "BridgeInterface" && !detectLocal?.bridgeInterface)
      this.wrong(
        ["detectLocal", "bridgeInterface"],
        "detectLocalMode BridgeInterface needs the name of the bridge here",
      );
    if (found === "InterfaceNamePrefix" && !detectLocal?.interfaceNamePrefix)
      this.wrong(["detectLocal", "interfaceNamePrefix"], "detectLocalMode InterfaceNamePrefix needs the prefix here");
    return found;
  }

  /** One prefix, or two of different families with a comma between. */
  private prefixes(path: ObjectPath, text: string): string {
    if (text === "") return text;
    const read = text.split(",").map((one) => this.prefix(path, one));
    const families = read.flatMap((one) => (one === undefined ? [] : [familyOf(one.value)]));
    if (read.length > 2 || new Set(families).size < families.length)
      this.wrong(path, `${text}: expected one prefix, or one of each family`);
    return text;
  }

  private prefix(path: ObjectPath, text: string): ReturnType<typeof parseSloppyPrefix> {
    const prefix = parseSloppyPrefix(text);
    if (prefix === undefined || prefixLength(prefix.mask) < 0)
      this.wrong(path, `${JSON.stringify(text)} is no prefix; write address/length`);
    return prefix;
  }

  private wrong(path: ObjectPath, message: string): void {
    this.problems.push(error("bad-configuration", `${formatPath(path)}: ${message}`, this.document.locate(path)));
  }
}

/** Says what about a node a configuration needs and was not told. */
export function missingNodeFacts(
  configuration: ProxyConfiguration,
  podCIDRs: readonly string[] | undefined,
): Problem[] {
  return configuration.detectLocalMode === "NodeCIDR" && (podCIDRs ?? []).length === 0
    ? [
        warning(
          "no-pod-cidr",
          "detectLocalMode is NodeCIDR and the node's pod CIDR is not known: traffic of local pods is not told apart",
        ),
      ]
    : [];
}
