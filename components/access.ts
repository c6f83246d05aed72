import { type EngineAddress, engineEnvironment, engineHost, isRemote } from "./engine.ts";
import { tunnelVariables } from "./commands/reach.ts";
import type { TunnelEnd } from "./tunnel/tunnel.ts";

/** How what runs beside Pulumi (its commands, the tests) reaches the services that run on the engine. */
export interface Access {
  /** Variables for every command: the engine, and the tunnel if there is one. */
  readonly environment: Readonly<Record<string, string>>;
  /** Absent where published ports are ports of this host. */
  readonly remote?: {
    /** The name of the engine's host, for a port that is published on all its addresses. */
    readonly hostname: string;
    readonly tunnel: TunnelEnd;
  };
}

/**
 * Published ports of an engine on this host are asked directly. Of a remote engine they are ports of another machine,
 * and on its loopback as a rule: its services are reached through a tunnel that ends in the stack's network.
 */
export function accessTo(
  config: EngineAddress & { readonly gatewayBaseImage: string; readonly imagePlatform: string },
  network: string,
): Access {
  const environment = engineEnvironment(config);
  const host = engineHost(config);
  if (!isRemote(host)) return { environment };
  const { hostname } = new URL(host);
  // The image that the gateway is built on: the stack needs it anyway.
  const tunnel = { network, image: config.gatewayBaseImage, platform: config.imagePlatform };
  return { environment: { ...environment, ...tunnelVariables(tunnel) }, remote: { hostname, tunnel } };
}

/** Whether published ports are ports of another machine. */
export function isRemoteAccess({ remote }: Access): boolean {
  return remote !== undefined;
}

/** A service of a stack: its name and port in the network, and where the engine's host publishes that. */
interface Service {
  readonly host: string;
  readonly port: number;
  readonly published: string;
}

/** Where commands ask a service: at its published port, or by its name in the network. */
export function serviceUrl(access: Access, { host, port, published }: Service): string {
  return access.remote === undefined ? published : `http://${host}:${String(port)}`;
}

/** The URL of what is published at an address: a wildcard is reached over the host's name or loopback. */
export function publishedUrl({ remote }: Access, bindAddress: string, port: number): string {
  const loopback = new Map([
    ["0.0.0.0", "127.0.0.1"],
    ["::", "::1"],
  ]).get(bindAddress);
  const host = loopback === undefined ? bindAddress : (remote?.hostname ?? loopback);
  return `http://${host.includes(":") ? `[${host}]` : host}:${String(port)}`;
}

/** For the stack's outputs: what the scripts need to open the tunnel, and the "host:port" of services behind it. */
export function tunnelOutput(
  { remote }: Access,
  services: Readonly<Record<"gateway" | "ollama", Pick<Service, "host" | "port">>>,
) {
  if (remote === undefined) return undefined;
  const target = ({ host, port }: Pick<Service, "host" | "port">) => `${host}:${String(port)}`;
  return { ...remote.tunnel, gateway: target(services.gateway), ollama: target(services.ollama) };
}
