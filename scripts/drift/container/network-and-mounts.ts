import type { Property } from "./property.ts";
import { flag, list, map } from "./format.ts";

export const surroundings: readonly Property[] = [
  {
    name: "ports",
    inputs: ["ports"],
    expected: ({ ports = [] }) =>
      list(
        ports.map(({ internal, external = 0, ip = "0.0.0.0", protocol = "tcp" }) =>
          port(ip, external, `${String(internal)}/${protocol}`),
        ),
      ),
    actual: ({ HostConfig }) =>
      list(
        Object.entries(HostConfig.PortBindings ?? {}).flatMap(([inside, bindings]) =>
          (bindings ?? []).map(({ HostIp, HostPort }) => port(HostIp || "0.0.0.0", Number(HostPort), inside)),
        ),
      ),
  },
  {
    name: "all ports published",
    inputs: ["publishAllPorts"],
    expected: (asked) => flag(asked.publishAllPorts),
    actual: ({ HostConfig }) => flag(HostConfig.PublishAllPorts),
  },
  {
    name: "mounts",
    inputs: ["mounts", "volumes"],
    expected: ({ mounts = [], volumes = [] }, image) => {
      const asked = [
        ...mounts.map(({ type, source, target, readOnly }) => mount(type, source, target, readOnly !== true)),
        ...volumes.map(({ volumeName, hostPath, containerPath = "", readOnly }) =>
          mount(hostPath ? "bind" : "volume", hostPath ?? volumeName, containerPath, readOnly !== true),
        ),
      ];
      const taken = new Set([
        ...mounts.map(({ target }) => target),
        ...volumes.map(({ containerPath }) => containerPath),
      ]);
      const own = Object.keys(image.Volumes ?? {}).filter((path) => !taken.has(path));
      return list([...asked, ...own.map((path) => mount("volume", undefined, path, true))]);
    },
    actual: ({ Mounts }) =>
      list(
        Mounts.map(({ Type, Name, Source, Destination, RW }) =>
          mount(Type, Type === "volume" ? Name : Source, Destination, RW),
        ),
      ),
  },
  {
    name: "tmpfs",
    inputs: ["tmpfs"],
    expected: (asked) => map(asked.tmpfs),
    actual: ({ HostConfig }) => map(HostConfig.Tmpfs),
  },
  {
    name: "network mode",
    inputs: ["networkMode"],
    expected: (asked) => networkMode(asked.networkMode ?? "default"),
    actual: ({ HostConfig }) => networkMode(HostConfig.NetworkMode),
  },
  {
    name: "extra hosts",
    inputs: ["hosts"],
    expected: (asked) => list(asked.hosts?.map(({ host, ip }) => `${host}:${ip}`)),
    actual: ({ HostConfig }) => list(HostConfig.ExtraHosts),
  },
  {
    name: "DNS",
    inputs: ["dns", "dnsOpts", "dnsSearches"],
    expected: ({ dns = [], dnsOpts = [], dnsSearches = [] }) => list([...dns, ...dnsOpts, ...dnsSearches]),
    actual: ({ HostConfig }) =>
      list([...(HostConfig.Dns ?? []), ...(HostConfig.DnsOptions ?? []), ...(HostConfig.DnsSearch ?? [])]),
  },
];

function port(address: string, external: number, inside: string): string {
  return `${address}:${external === 0 ? "any" : String(external)}->${inside}`;
}

function mount(type: string, source: string | undefined, target: string, writable: boolean): string {
  // An anonymous volume has a name that the engine makes up.
  const from = source === undefined || /^[0-9a-f]{64}$/.test(source) ? "anonymous" : source;
  return `${type} ${from} at ${target}${writable ? "" : " (read-only)"}`;
}

function networkMode(mode: string): string {
  return mode === "default" ? "bridge" : mode;
}
