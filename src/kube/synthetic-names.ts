import type { ServiceProtocol } from "./objects.js";

const TEAMS =
  "payments checkout identity catalog search inventory shipping billing accounts notifications analytics reporting media messaging support pricing fraud loyalty logistics platform observability storefront mobile partners compliance";
const PRODUCTS =
  "cart order invoice user session profile product price stock parcel refund coupon wallet ledger review rating image video thread mail push event metric audit report quote claim voucher address tax currency basket wishlist recommendation feed search index template document ticket contract campaign segment device token consent webhook";
const COMPONENTS = "api web worker grpc cache db queue gateway metrics admin sync events proxy dns sip";
const ENVIRONMENTS = "prod staging dev qa";

/** The namespaces of a cluster, more of them the more services it has. */
export function namespaces(services: number): readonly string[] {
  const all = ENVIRONMENTS.split(" ").flatMap((environment) =>
    TEAMS.split(" ").map((team) => (environment === "prod" ? team : `${team}-${environment}`)),
  );
  return ["default", ...all].slice(0, Math.max(1, Math.ceil(services / 40)));
}

/** Draws names of services, each unique in its namespace: `product-component`, numbered where both come again. */
export function componentNames(random: () => number): (namespace: string) => { name: string; component: string } {
  const products = PRODUCTS.split(" ");
  const components = COMPONENTS.split(" ");
  const used = new Map<string, number>();
  return (namespace) => {
    const component = components[Math.floor(random() * components.length)]!;
    const name = `${products[Math.floor(random() * products.length)]!}-${component}`;
    const key = `${namespace}/${name}`;
    const times = (used.get(key) ?? 0) + 1;
    used.set(key, times);
    return { name: times === 1 ? name : `${name}-${times}`, component };
  };
}

interface Ports {
  readonly portName: string;
  readonly port: number;
  /** The port the pods listen on. */
  readonly targetPort: number;
}

const TCP_PORTS: Readonly<Record<string, Ports>> = {
  web: { portName: "https", port: 443, targetPort: 8443 },
  grpc: { portName: "grpc", port: 9090, targetPort: 9090 },
  cache: { portName: "redis", port: 6379, targetPort: 6379 },
  db: { portName: "postgres", port: 5432, targetPort: 5432 },
  queue: { portName: "amqp", port: 5672, targetPort: 5672 },
  metrics: { portName: "metrics", port: 9100, targetPort: 9100 },
  gateway: { portName: "http", port: 8080, targetPort: 8080 },
};

const OTHER_PORTS: Readonly<Record<"UDP" | "SCTP", Ports>> = {
  UDP: { portName: "dns", port: 53, targetPort: 5353 },
  SCTP: { portName: "diameter", port: 3868, targetPort: 3868 },
};

/** The port a component is known by, per protocol. */
export function portsOf(component: string, protocol: ServiceProtocol): Ports {
  if (protocol !== "TCP") return OTHER_PORTS[protocol];
  return TCP_PORTS[component] ?? { portName: "http", port: 80, targetPort: 8080 };
}
