/** The fields kube-proxy reads, as zod schemas. Whatever else an object holds is let pass; what is wrong says what is expected. */
import { z } from "zod";

const text = (expected = "a text"): z.ZodString => z.string({ error: () => expected });

function whole(least: number, most: number): z.ZodInt {
  const expected = `a whole number from ${least} to ${most}`;
  return z
    .int({ error: () => expected })
    .min(least, expected)
    .max(most, expected);
}

const flag = z.boolean({ error: () => "true or false" });

/** One of some words; an empty one is as good as none, as in Go. */
function oneOf(...words: readonly string[]): z.ZodEnum<Record<string, string>> {
  const all: Record<string, string> = Object.fromEntries([...words, ""].map((word) => [word, word]));
  return z.enum(all, { error: () => `one of ${words.join(", ")}` });
}

function list<T extends z.ZodType>(item: T): z.ZodArray<T> {
  return z.array(item, { error: () => "a list" });
}

function fields<T extends z.core.$ZodLooseShape>(shape: T): z.ZodObject<T, z.core.$loose> {
  return z.looseObject(shape, { error: () => "an object" });
}

const words = z.record(z.string(), text(), { error: () => "an object of texts" }).optional();

const metadata = fields({
  name: text("a name").min(1, "a name"),
  namespace: text().optional(),
  labels: words,
  annotations: words,
});

const PROTOCOLS = ["TCP", "UDP", "SCTP"] as const;
const POLICIES = ["Cluster", "Local"] as const;
const LONGEST_AFFINITY = 86400;

const service = fields({
  metadata,
  spec: fields({
    type: oneOf("ClusterIP", "NodePort", "LoadBalancer", "ExternalName").optional(),
    clusterIP: text().optional(),
    clusterIPs: list(text()).optional(),
    ipFamilies: list(oneOf("IPv4", "IPv6")).optional(),
    ports: list(
      fields({
        name: text().optional(),
        port: whole(1, 65535),
        protocol: oneOf(...PROTOCOLS).optional(),
        nodePort: whole(0, 65535).optional(),
      }),
    ).optional(),
    externalIPs: list(text()).optional(),
    externalTrafficPolicy: oneOf(...POLICIES).optional(),
    internalTrafficPolicy: oneOf(...POLICIES).optional(),
    loadBalancerSourceRanges: list(text()).optional(),
    healthCheckNodePort: whole(0, 65535).optional(),
    sessionAffinity: oneOf("None", "ClientIP").optional(),
    sessionAffinityConfig: fields({
      clientIP: fields({ timeoutSeconds: whole(1, LONGEST_AFFINITY).optional() }).optional(),
    }).optional(),
  }),
  status: fields({
    loadBalancer: fields({
      ingress: list(
        fields({ ip: text().optional(), hostname: text().optional(), ipMode: oneOf("VIP", "Proxy").optional() }),
      ).optional(),
    }).optional(),
  }).optional(),
});

const hints = list(fields({ name: text("a name") })).optional();

const endpointSlice = fields({
  metadata,
  addressType: z.enum(["IPv4", "IPv6", "FQDN"], { error: () => "one of IPv4, IPv6, FQDN" }),
  ports: list(
    fields({
      name: text().optional(),
      port: whole(0, 65535).optional(),
      protocol: oneOf(...PROTOCOLS).optional(),
    }),
  ).optional(),
  endpoints: list(
    fields({
      addresses: list(text()),
      conditions: fields({
        ready: flag.optional(),
        serving: flag.optional(),
        terminating: flag.optional(),
      }).optional(),
      nodeName: text().optional(),
      hints: fields({ forZones: hints, forNodes: hints }).optional(),
    }),
  ).optional(),
});

const serviceCIDR = fields({ metadata, spec: fields({ cidrs: list(text()) }) });

/** By kind. */
export const objectSchemas = { Service: service, EndpointSlice: endpointSlice, ServiceCIDR: serviceCIDR } as const;

const rules = { masqueradeAll: flag.optional(), masqueradeBit: whole(0, 31).optional() };

/** Kernel's IFNAMSIZ less its ending zero. */
const LONGEST_INTERFACE = 15;
const interfaceName = text().max(LONGEST_INTERFACE, `a name of at most ${LONGEST_INTERFACE} characters`);

export const configurationSchema = fields({
  mode: text().optional(),
  hostnameOverride: text().optional(),
  clusterCIDR: text().optional(),
  detectLocalMode: text().optional(),
  detectLocal: fields({
    bridgeInterface: interfaceName.optional(),
    interfaceNamePrefix: interfaceName.optional(),
  }).optional(),
  nodePortAddresses: list(text()).optional(),
  iptables: fields({ ...rules, localhostNodePorts: flag.optional() }).optional(),
  nftables: fields(rules).optional(),
  conntrack: fields({ tcpBeLiberal: flag.optional() }).optional(),
});

/** A wrong value: the path to it, and what is expected there. */
export interface Mismatch {
  readonly path: (string | number)[];
  readonly expected: string;
}

/** What of a value does not fit a schema; empty where all fits. */
export function mismatches(schema: z.ZodType, value: unknown): Mismatch[] {
  const result = schema.safeParse(value);
  return result.success
    ? []
    : result.error.issues.map(({ path, message }) => ({ path: path as (string | number)[], expected: message }));
}

/** The value a path leads to as JSON, cut short; `nothing` where there is none. */
export function describeValue(value: unknown, path: readonly (string | number)[]): string {
  let found = value;
  for (const step of path) found = (found as Record<string | number, unknown> | undefined)?.[step];
  if (found === undefined) return "nothing";
  const json = JSON.stringify(found);
  return json.length > 40 ? `${json.slice(0, 37)}...` : json;
}
