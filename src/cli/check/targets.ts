/** The service ports a check looks at, each with the packet that is sent to it. */
import { type Address, familyOf } from "../../packet/address.js";
import { makePacket, type Packet } from "../../packet/packet.js";
import { hasPorts } from "../../packet/protocol.js";
import { type ReadService, type ReadServicePort, servicesOf } from "../../kube/read-services.js";
import type { RuleSet } from "../../ruleset/types.js";
import { UsageError } from "../failure.js";
import type { EndpointWord } from "../options/values.js";
import type { WalkOptions } from "../options/walk.js";
import { findServices, portTitle } from "../service-name.js";

export interface Target {
  /** `namespace/name:port` */
  readonly service: string;
  readonly port: ReadServicePort;
  readonly packet: Packet;
}

export interface TargetOptions extends WalkOptions {
  /** None: all service ports that have endpoints and an address. */
  readonly service?: readonly string[];
  readonly src?: EndpointWord;
}

/** Documentation addresses (RFC 5737, RFC 3849): no rule has them by chance. */
const DEFAULT_SOURCES: Readonly<Record<"ip" | "ip6", Address>> = { ip: 0xc0000201, ip6: [0x20010db8, 0, 0, 1] };
const DEFAULT_SOURCE_PORT = 40000;

/** Throws UsageError where a name means none or several, or where nothing is left to check. */
export function targetsOf(ruleset: RuleSet, options: TargetOptions): Target[] {
  const services = servicesOf(ruleset);
  if (options.service !== undefined)
    return options.service.map((name) => {
      const { service, port } = onlyPort(services, name);
      const packet = packetTo(port, options);
      if (packet === undefined)
        throw new UsageError(`--service ${name}: the rules show no address of it that packets could be sent to`);
      return { service: portTitle(service, port), port, packet };
    });
  const all = services.flatMap((service) =>
    service.ports.flatMap((port): Target[] => {
      const packet = port.choice.endpoints.length === 0 ? undefined : packetTo(port, options);
      return packet === undefined ? [] : [{ service: portTitle(service, port), port, packet }];
    }),
  );
  if (all.length === 0) throw new UsageError('the rules hold no service with endpoints (see "chainwalk services")');
  return all;
}

function onlyPort(services: readonly ReadService[], name: string): { service: ReadService; port: ReadServicePort } {
  const found = findServices(services, name).flatMap((service) => service.ports.map((port) => ({ service, port })));
  if (found.length === 1) return found[0]!;
  if (found.length === 0)
    throw new UsageError(`--service ${name}: the rules hold no such Service (see "chainwalk services")`);
  const titles = found.map(({ service, port }) => portTitle(service, port));
  throw new UsageError(
    `--service ${name} means several: ${titles.slice(0, 8).join(", ")}${titles.length > 8 ? ", ..." : ""}`,
  );
}

/** A first packet to the service; undefined where the rules show no address of it. */
function packetTo(port: ReadServicePort, options: TargetOptions): Packet | undefined {
  const dst = port.clusterIPs[0] ?? port.loadBalancerIPs[0] ?? port.externalIPs[0];
  if (dst === undefined || port.port === 0) return undefined;
  const family = familyOf(dst);
  const src = options.src?.address ?? DEFAULT_SOURCES[family];
  if (familyOf(src) !== family) throw new UsageError("--src is not of the service's family");
  return makePacket({
    src,
    dst,
    protocol: port.protocol,
    sport: hasPorts(port.protocol) ? (options.src?.port ?? DEFAULT_SOURCE_PORT) : 0,
    dport: port.port,
    entrance: options.hook ?? "prerouting",
    ...(options.iif === undefined ? {} : { iif: options.iif }),
    ...(options.mark === undefined ? {} : { mark: options.mark }),
  });
}
