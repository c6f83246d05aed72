import { type EngineAddress, engineEnvironment, engineHost, isRemote } from "./docker-cli.ts";
import { tunnelVariables } from "./with-tunnel.ts";
import type { TunnelTarget } from "./tunnel/tunnel.ts";

/** How what runs beside Pulumi (its commands, the tests) reaches a service that runs on the engine. */
export interface Connection {
  /** Variables for every command: the engine, and the tunnel if there is one. */
  readonly environment: Readonly<Record<string, string>>;
  /** Absent where the service is reached at its published port, which is one of this host. */
  readonly tunnel?: TunnelTarget;
  /** The name of the engine's host, where that is another machine: its ports are not this host's. */
  readonly hostname?: string;
}

/** What decides how services are reached. */
type Reached = EngineAddress & {
  readonly gatewayBaseImage: string;
  readonly imagePlatform: string;
  readonly ollamaPort: number;
};

/**
 * Published ports of an engine on this host are reached directly. Of a remote engine they are ports of another machine,
 * and on its loopback as a rule: its services are reached through a tunnel that ends in the stack's network.
 */
export function connectionTo(config: Reached, network: string): Connection {
  const environment = engineEnvironment(config);
  const host = engineHost(config);
  if (!isRemote(host)) return { environment };
  return { ...throughTunnel(config, network, environment), hostname: new URL(host).hostname };
}

/** How Ollama's servers are reached: the first of them, and the others, whose ports are not published. */
export interface OllamaConnection extends Connection {
  readonly others: Connection;
}

/** The same for Ollama: through a tunnel where its port is not published, too. */
export function connectionToOllama(config: Reached, network: string): OllamaConnection {
  const access = connectionTo(config, network);
  const inside = { ...access, ...throughTunnel(config, network, access.environment) };
  return { ...(config.ollamaPort === 0 ? inside : access), others: inside };
}

function throughTunnel(config: Reached, network: string, environment: Connection["environment"]) {
  // The image that the gateway is built on: the stack needs it anyway.
  const tunnel = { network, image: config.gatewayBaseImage, platform: config.imagePlatform };
  return { environment: { ...environment, ...tunnelVariables(tunnel) }, tunnel };
}

/** Whether published ports are ports of another machine. */
export function isRemoteConnection({ hostname }: Connection): boolean {
  return hostname !== undefined;
}

/** A service of a stack: its name and port in the network, and where the engine's host publishes that. */
interface Service {
  readonly host: string;
  readonly port: number;
  readonly published: string;
}

/** Where commands ask a service: at its published port, or by its name in the network. */
export function serviceUrl(access: Connection, { host, port, published }: Service): string {
  return access.tunnel === undefined ? published : `http://${host}:${String(port)}`;
}

/** The URL of what is published at an address: a wildcard is reached over the host's name or loopback. */
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
 * For the stack's outputs, if there is a tunnel: what the scripts need to open it, and the "host:port" of the services
 * behind it.
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
