/** Services by the names users give: `nginx`, `default/nginx`, `default/nginx:http`. */
import type { ReadService, ReadServicePort } from "../kube/read-services.js";

/** Splits `[NAMESPACE/]NAME[:PORT]`; a part that is not named is undefined. */
function splitName(text: string): { namespace: string | undefined; name: string; port: string | undefined } {
  const [, namespace, name, port] = /^(?:([^/]*)\/)?([^:]*)(?::(.*))?$/s.exec(text) ?? [];
  return { namespace, name: name ?? text, port };
}

/** The Services a name means, each with the ports it means. */
export function findServices(services: readonly ReadService[], text: string): ReadService[] {
  const { namespace, name, port } = splitName(text);
  return services
    .filter((one) => one.name === name && (namespace === undefined || one.namespace === namespace))
    .map((one) => (port === undefined ? one : { ...one, ports: one.ports.filter((own) => own.name === port) }))
    .filter((one) => one.ports.length > 0);
}

/** `namespace/name:port`, without the colon where the port has no name. */
export function portTitle(service: ReadService, port: ReadServicePort): string {
  const owner = service.namespace === "" ? service.name : `${service.namespace}/${service.name}`;
  return port.name === "" ? owner : `${owner}:${port.name}`;
}
