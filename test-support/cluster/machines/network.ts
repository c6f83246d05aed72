import { execFileSync } from "node:child_process";

// A switch in a separate network namespace, connected to each machine of the cluster and to this host.
// 198.18.0.0/15 is reserved for network tests; private engines use its first half.

const prefix = "ollama-stack-cluster";
const hostLink = "os-cluster";

export const addresses = { controlPlane: "198.19.77.10", host: "198.19.77.254" };

/** The addresses of services. */
export const serviceNetwork = "10.96.0.0/16";

export interface Machine {
  readonly name: string;
  readonly address: string;
  /** The addresses of its pods. */
  readonly podNetwork: string;
}

export const machines: readonly Machine[] = [1, 2].map((i) => ({
  name: `n${String(i)}`,
  address: `198.19.77.${String(i)}`,
  podNetwork: `10.244.${String(i)}.0/24`,
}));

export function namespaceOf(machine: string): string {
  return `${prefix}-${machine}`;
}

const ip = (...args: string[]) => execFileSync("ip", args, { stdio: "pipe" });

export function makeNetwork(): void {
  const bridge = namespaceOf("switch");
  ip("netns", "add", bridge);
  ip("-n", bridge, "link", "add", "br0", "type", "bridge");
  ip("-n", bridge, "link", "set", "br0", "up");
  const plug = (end: string) => {
    ip("-n", bridge, "link", "set", end, "master", "br0");
    ip("-n", bridge, "link", "set", end, "up");
  };
  const legs = [{ name: "control", address: addresses.controlPlane }, ...machines];
  for (const { name, address } of legs) {
    const own = namespaceOf(name);
    ip("netns", "add", own);
    ip("-n", own, "link", "set", "lo", "up");
    ip("-n", own, "link", "add", "eth0", "type", "veth", "peer", "name", name, "netns", bridge);
    ip("-n", own, "address", "add", `${address}/24`, "dev", "eth0");
    ip("-n", own, "link", "set", "eth0", "up");
    plug(name);
    ip("-n", own, "route", "add", "default", "via", addresses.host);
    execFileSync("ip", ["netns", "exec", own, "sysctl", "-qw", "net.ipv4.ip_forward=1"]);
    for (const other of machines)
      if (other.name !== name) ip("-n", own, "route", "add", other.podNetwork, "via", other.address);
  }
  ip("link", "add", hostLink, "type", "veth", "peer", "name", "host", "netns", bridge);
  ip("address", "add", `${addresses.host}/24`, "dev", hostLink);
  ip("link", "set", hostLink, "up");
  plug("host");
}

/** Routes this host to the cluster's services through one of the nodes. */
export function reachServicesThrough({ address }: Machine): void {
  ip("route", "replace", serviceNetwork, "via", address, "dev", hostLink);
}

/** Routes this host to the pods' addresses, as on the nodes. */
export function reachPods(): void {
  for (const { podNetwork, address } of machines)
    ip("route", "replace", podNetwork, "via", address, "dev", hostLink);
}

/** Connects or disconnects a machine's network. */
export function setPlug({ name }: Machine, state: "up" | "down"): void {
  ip("-n", namespaceOf("switch"), "link", "set", name, state);
}

/** Removes the network, also that of a killed run. */
export function removeNetwork(): void {
  const quietly = (...args: string[]) => {
    try {
      ip(...args);
    } catch {
      // There is none.
    }
  };
  quietly("link", "delete", hostLink);
  for (const name of ["switch", "control", ...machines.map((machine) => machine.name)])
    quietly("netns", "delete", namespaceOf(name));
}
