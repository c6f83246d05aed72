import { type EngineAddress, engineEnvironment, engineHost, isRemote } from "./docker-cli.ts";
import { tunnelVariables } from "./with-tunnel.ts";
import type { TunnelTarget } from "./tunnel/tunnel.ts";

/** How commands and tests on this machine reach a service on the engine. */
export interface Connection {
  /** Variables for every command: the engine, and the tunnel if there is one. */
  readonly environment: Readonly<Record<string, string>>;
  /** Undefined if the service's port is published on this host. */
  readonly tunnel?: TunnelTarget;
  /** The engine's host name, if it is another machine. */
  readonly hostname?: string;
}

/** The settings that determine how services are reached. */
type ConnectionSettings = EngineAddress & {
  readonly gatewayBaseImage: string;
  readonly imagePlatform: string;
  readonly ollamaPort: number;
};

/**
 * Services of a local engine are reached at their published ports. Services of a remote engine are reached through a tunnel
 * into the stack's network, because their ports are usually published on the remote host's loopback address only.
 */
export function connectionTo(config: ConnectionSettings, network: string): Connection {
  const environment = engineEnvironment(config);
  const host = engineHost(config);
  if (!isRemote(host)) return { environment };
  return { ...throughTunnel(config, network, environment), hostname: new URL(host).hostname };
}

/** How the first Ollama server is reached, and the others, whose ports are not published. */
export interface OllamaConnection extends Connection {
  readonly others: Connection;
}

/** The same for Ollama, which needs a tunnel also if its port is not published. */
export function connectionToOllama(config: ConnectionSettings, network: string): OllamaConnection {
  const access = connectionTo(config, network);
  const inside = { ...access, ...throughTunnel(config, network, access.environment) };
  return { ...(config.ollamaPort === 0 ? inside : access), others: inside };
}

function throughTunnel(config: ConnectionSettings, network: string, environment: Connection["environment"]) {
  // The stack needs this image anyway.
  const tunnel = { network, image: config.gatewayBaseImage, platform: config.imagePlatform };
  return { environment: { ...environment, ...tunnelVariables(tunnel) }, tunnel };
}

/** Whether ports are published on another machine. */
export function isRemoteConnection({ hostname }: Connection): boolean {
  return hostname !== undefined;
}

/** A service of a stack: its name and port in the network, and the URL at which it is published. */
interface Service {
  readonly host: string;
  readonly port: number;
  readonly published: string;
}

/** The URL for commands: the published one, or the service's name in the network when a tunnel is used. */
export function serviceUrl(access: Connection, { host, port, published }: Service): string {
  return access.tunnel === undefined ? published : `http://${host}:${String(port)}`;
}

/** The URL of a published port. For a wildcard address, it contains the host's name or loopback. */
export function publishedUrl({ hostname }: Connection, bindAddress: string, port: number): string {
  const loopback = new Map([
    ["0.0.0.0", "127.0.0.1"],
    ["::", "::1"],
  ]).get(bindAddress);
  const host = loopback === undefined ? bindAddress : (hostname ?? loopback);
  return `http://${host.includes(":") ? `[${host}]` : host}:${String(port)}`;
}

type Inside = Pick<Service, "host" | "port">;

/**
 * The tunnel's settings for the stack's outputs, with the "host:port" of the services behind it; empty without a tunnel.
 */
export function tunnelOutput(
  gateway: Inside & { readonly access: Connection },
  ollama: Inside & { readonly access: Connection },
) {
  const tunnel = ollama.access.tunnel;
  if (tunnel === undefined) return {};
  const target = ({ host, port }: Inside) => `${host}:${String(port)}`;
  const behind = gateway.access.tunnel === undefined ? {} : { gateway: target(gateway) };
  return { tunnel: { ...tunnel, ...behind, ollama: target(ollama) } };
}
