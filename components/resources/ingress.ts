import type { TrustedCertificates } from "../planning/trusted-certificates.ts";
import { pulledImage } from "./container/pulled-image.ts";
import { isIP } from "node:net";
import type * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import { readConfig as readGatewayConfig } from "../../gateway/src/config/config.ts";
import type { Connection } from "../../engine/connection.ts";
import type { StackConfig } from "../config/keys.ts";
import type { Drain } from "./container/drain-hooks.ts";
import { type EdgeMode, edgePort, hasTls } from "../config/edge-modes.ts";
import { edgeHost } from "./edge-config/caddyfile.ts";
import { Edge } from "./edge.ts";
import type { Gateway } from "./gateway.ts";
import { namesInNetwork, type StackNames } from "../../engine/names.ts";
import type { NetworkToJoin } from "./network.ts";

/** The drain settings for replicas. */
export function drainOf(config: StackConfig, names: StackNames): Drain {
  return {
    gateways: names.gateways,
    // Without an edge, the gateway itself accepts the requests.
    edge: config.edge === "none" ? names.gateway : names.edge,
    timeoutSeconds: config.drainTimeoutSeconds,
  };
}

/** How the gateway is published, directly or behind an edge, and its allowed host names. */
export function gatewayExposure(config: StackConfig, names: StackNames) {
  const published =
    config.edge === "none"
      ? { bindAddress: config.gatewayBindAddress, port: config.gatewayPort }
      : { behind: drainOf(config, names) };
  return {
    published,
    allowedHosts: allowedHosts(config, names),
    // Only for alerts; without monitoring, a change of the edge does not affect the gateway.
    watchedCertificate:
      config.monitoring === "none" || config.edge === "none" || !hasTls(config.edge)
        ? ""
        : `${edgeHost}:${String(edgePort(config.edge))}/${config.edgeHostnames[0] ?? "localhost"}`,
  };
}

/**
 * Allowed host names besides the gateways' own in the network. Undefined if keys are required and no names are configured: a
 * web page has no key, and the gateway may have names that the stack does not know.
 */
function allowedHosts(
  { edge, edgeHostnames, gatewayAllowedHosts, gatewayApiKeys }: StackConfig,
  names: StackNames,
): readonly string[] | undefined {
  if (gatewayApiKeys.length > 0 && gatewayAllowedHosts.length === 0) return undefined;
  const edgeNames = edge === "none" ? [] : namesInNetwork([edgeHost, names.edge], names.network);
  return [...edgeNames, ...edgeHostnames, ...gatewayAllowedHosts];
}

/**
 * The image of the edge, if there is one. It is not a child of the edge, so that it is pulled before the gateway, which comes
 * before the edge: the gateway must not give up its port for an edge that cannot be created.
 */
export function edgeImage({ edge, edgeImage: name, imagePlatform }: StackConfig): docker.RemoteImage[] {
  return edge === "none" ? [] : [pulledImage("edge-image", name, imagePlatform)];
}

/** Settings that the edge shares with the gateways. Omits proxies trusted by name, which are not in front of an edge. */
function proxySettings({ gatewayEnvironment }: StackConfig) {
  const { REQUEST_TIMEOUT_MS } = readGatewayConfig(gatewayEnvironment);
  const proxies = (gatewayEnvironment.TRUSTED_PROXIES ?? "").split(",").map((each) => each.trim());
  return {
    trustedProxies: proxies.filter((each) => isIP(each.split("/", 1)[0] ?? "") !== 0),
    bodyTimeoutSeconds: Math.ceil(REQUEST_TIMEOUT_MS / 1000),
  };
}

/** Values for the stack's outputs. */
interface Ingress {
  readonly gatewayUrl: pulumi.Output<string>;
  readonly edge?: { readonly container: pulumi.Output<string>; readonly mode: EdgeMode };
}

interface IngressOptions {
  readonly connection: Connection;
  readonly network: NetworkToJoin;
  readonly containerName: string;
  /** Changes with its certificates. */
  readonly certificatesVersion: string;
  /** Certificates to trust in addition to the image's. */
  readonly trust: TrustedCertificates | undefined;
  /** The result of `edgeImage`. */
  readonly images: readonly docker.RemoteImage[];
}

/** Declares the configured edge in front of the gateways; without one, returns the gateway's own URL. */
export function createIngress(
  config: StackConfig,
  gateway: Gateway,
  { connection, network, containerName, certificatesVersion, trust, images: [image] }: IngressOptions,
): Ingress {
  const mode = config.edge;
  if (mode === "none" || image === undefined) return { gatewayUrl: gateway.url };
  const own = hasTls(mode) && config.edgeHostnames.length === 0;
  // The config's validation rejects names that do not fit the mode.
  const hostnames = own ? ["localhost", "127.0.0.1"] : config.edgeHostnames;
  const edge = new Edge(
    "edge",
    {
      mode,
      hostnames,
      gateways: gateway.hosts,
      ...proxySettings(config),
      acmeDirectory: config.edgeAcmeDirectory,
      acmeEmail: config.edgeAcmeEmail,
      acmeRoot: mode === "acme" && config.edgeCertificates !== "",
      image: image.imageId,
      containerName,
      network,
      bindAddress: config.gatewayBindAddress,
      port: config.gatewayPort,
      certificates: config.edgeCertificates,
      certificatesVersion,
      trust,
      readyTimeoutSeconds: config.readyTimeoutSeconds,
      limits: { memoryMiB: config.edgeMemoryMiB, cpus: config.edgeCpus, pids: config.edgePids },
      access: connection,
    },
    { dependsOn: gateway },
  );
  return { gatewayUrl: edge.url, edge: { container: edge.containerName, mode } };
}
