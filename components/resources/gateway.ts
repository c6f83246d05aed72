import { createHash } from "node:crypto";
import * as command from "@pulumi/command";
import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import { pulledImage } from "./container/pulled-image.ts";
import { DEFAULT_PORT, readConfig } from "../../gateway/src/config/config.ts";
import { namesInNetwork, replicas, shortStackName } from "../../engine/names.ts";
import { publishedUrl, serviceUrl } from "../../engine/connection.ts";
import { type Drain, drainedGateway } from "./container/drain-hooks.ts";
import { edgeHost } from "./edge-config/caddyfile.ts";
import { bundleGateway, gatewayContext } from "./gateway-image/bundle.ts";
import type { GatewayEnvironment, ProgramVariable } from "../config/gateway-environment.ts";
import { gatewayVariables, type GatewayVariablesArgs } from "./gateway-variables.ts";
import { gatewayKeys } from "./gateway-keys.ts";
import { firstOf, type Replica, replicaContainers } from "./container/replicas.ts";
import { readyAt, readyWhen, type ServiceArgs } from "./container/service-container.ts";

export interface GatewayArgs extends ServiceArgs, GatewayVariablesArgs {
  /** Folder of the project with the gateway's sources. */
  readonly projectRoot: string;
  /** Image with Node 24 to build on. A change rebuilds the image and replaces the container. */
  readonly baseImage: string;
  /** Platform of the images; empty means the engine's own. A change replaces image and container. */
  readonly platform: string;
  /** Number of containers, replaced one at a time; more than one requires an edge (`behind`). */
  readonly replicas: number;
  /** Addresses of Ollama on that network. A change replaces the containers. */
  readonly servers: readonly Backend[];
  /** Host address and port to publish it at, or the edge in front of it. A change replaces the containers. */
  readonly published: { readonly bindAddress: string; readonly port: number } | { readonly behind: Drain };
  /**
   * Lines of API keys by digest, in the gateway's format; without keys, access is open. Changed in place, except that adding
   * the first key or removing the last one replaces the containers.
   */
  readonly apiKeys?: pulumi.Input<readonly string[]>;
  /**
   * Name of an external volume for the keys' usage; empty to keep it in memory. A change replaces the containers.
   */
  readonly usageVolume: string;
  /**
   * Allowed host names besides those of its containers in the network, in the gateway's format. Undefined for the gateway's
   * default, which allows any name if there are keys. A change replaces the containers.
   */
  readonly allowedHosts: readonly string[] | undefined;
  /** Server whose certificate the metrics report, in the gateway's format; empty for none. A change replaces the containers. */
  readonly watchedCertificate: string;
  /** Further variables of the gateway. A change replaces the container. */
  readonly environment: GatewayEnvironment;
  /** Dependencies of its containers, such as models; its image is built meanwhile. */
  readonly after?: readonly pulumi.Resource[];
}

interface Backend {
  readonly host: string;
  readonly port: number;
}

// Time for the gateway to close after its timeout for requests in flight.
const stopMarginSeconds = 5;

// As in the image, where it belongs to the containers' user.
const usageFolder = "/usage";

/** The OpenAI-compatible gateway: its image, built from this repository, and its containers. */
export class Gateway extends pulumi.ComponentResource {
  /** The first one. */
  readonly containerName: pulumi.Output<string>;
  readonly containerNames: readonly pulumi.Output<string>[];
  readonly imageName: pulumi.Output<string>;
  readonly imageId: pulumi.Output<string>;
  /** The published URL as seen from the engine's host; empty behind an edge. Resolves once it is ready. */
  readonly url: pulumi.Output<string>;
  /** Its address on the network. */
  readonly internal = { host: "gateway", port: DEFAULT_PORT };
  /** The address of each container on the network. */
  readonly hosts: readonly Backend[];
  /** The base image with Node.js. */
  readonly baseImageId: pulumi.Output<string>;

  constructor(name: string, args: GatewayArgs, opts?: pulumi.ComponentResourceOptions) {
    // An unknown input of a component would delay all its children.
    const { network, after, metricsKeyDigest, ...known } = args;
    super("ollama-stack:index:Gateway", name, { ...known, networkName: network.name }, opts);
    const platform = args.platform === "" ? {} : { platform: args.platform };
    const base = pulledImage(`${name}-base-image`, args.baseImage, args.platform, { parent: this });
    const bundle = bundleGateway(args.projectRoot);
    // The tag is a content hash: changed content is a new image, and the old one is deleted after its container.
    const tag = base.imageId.apply((id) =>
      createHash("sha256").update(`${bundle} ${id}`).digest("hex").slice(0, 16),
    );
    const imageName = pulumi.interpolate`${args.containerName}:${tag}`;
    // Deletes the image instead of the provider, once nothing uses it. It is created before the image, so that an update
    // that fails to build the image leaves none behind.
    const disposal = new command.local.Command(
      `${name}-image-disposal`,
      {
        delete: "node components/commands/remove-image.ts",
        environment: { ...args.access.environment, IMAGE: imageName },
        triggers: [imageName],
        addPreviousOutputInEnv: false,
      },
      { parent: this },
    );
    const image = new docker.RemoteImage(
      `${name}-image`,
      {
        name: imageName,
        build: {
          context: gatewayContext,
          buildArgs: { BASE_IMAGE: args.baseImage, STACK: shortStackName(pulumi.getStack()) },
          ...platform,
          // A builder selected with docker buildx use would not have the engine's images.
          builder: "default",
          // BuildKit would use the environment's engine regardless of the provider's config, and without TLS.
          ...(args.access.hostname === undefined ? {} : { useLegacyBuilder: true }),
        },
        triggers: { content: tag },
        keepLocally: true,
        ...platform,
      },
      { parent: this, dependsOn: disposal },
    );
    const gateways = replicas(args.containerName, args.replicas);
    const keys =
      args.apiKeys === undefined
        ? undefined
        : gatewayKeys(
            name,
            {
              apiKeys: args.apiKeys,
              containerName: args.containerName,
              gateways,
              image: base.imageId,
              access: args.access,
            },
            this,
          );
    const set = {
      ...gatewayVariables({ ...known, metricsKeyDigest }),
      ...backendVariables(args.servers),
      ...("behind" in args.published ? { TRUSTED_PROXIES: behindEdge(args.environment) } : {}),
      ...(keys === undefined ? { API_KEYS: "" } : { API_KEYS_FILE: keys.path }),
      ...(args.watchedCertificate === "" ? {} : { WATCHED_CERTIFICATE: args.watchedCertificate }),
    } satisfies Partial<Record<ProgramVariable | "TRUSTED_PROXIES", pulumi.Input<string>>>;
    const stopMs = readConfig(args.environment).SHUTDOWN_TIMEOUT_MS;
    const { published } = args;
    const url = "behind" in published ? "" : publishedUrl(args.access, published.bindAddress, published.port);
    const { hosts, containerNames, allReady } = replicaContainers(
      name,
      {
        count: args.replicas,
        containerName: args.containerName,
        host: this.internal.host,
        networkName: network.networkName,
      },
      (replica) => ({
        image: image.imageId,
        environment: {
          ...args.environment,
          ...set,
          ...hostVariables(args, replica),
          ...usageVariables(args, replica),
        },
        ...("behind" in published
          ? {}
          : { port: { internal: DEFAULT_PORT, external: published.port, address: published.bindAddress } }),
        volumes: [
          ...(keys === undefined ? [] : [keys.volume]),
          ...(args.usageVolume === "" ? [] : [{ name: args.usageVolume, path: usageFolder }]),
        ],
        trust: args.trust,
        user: "65532:65532",
        healthCommand: ["node", "/app/healthcheck.cjs"],
        ready:
          "behind" in published
            ? drainedGateway(readyWhen(["node", "/app/healthcheck.cjs", "/ready"]), published.behind)
            : readyAt(`${serviceUrl(args.access, { published: url, ...this.internal })}/ready`),
        readyTimeoutSeconds: args.readyTimeoutSeconds,
        stopGraceSeconds: Math.ceil(stopMs / 1000) + stopMarginSeconds,
        limits: args.limits,
        access: args.access,
      }),
      this,
      keys === undefined ? (after ?? []) : [...(after ?? []), keys.written],
    );
    this.containerNames = containerNames;
    this.containerName = firstOf(containerNames);
    this.imageName = image.name;
    this.imageId = image.imageId;
    this.baseImageId = base.imageId;
    this.url = allReady.apply(() => url);
    this.hosts = hosts.map((host) => ({ host, port: DEFAULT_PORT }));
    this.registerOutputs({
      containerName: this.containerName,
      imageName: this.imageName,
      imageId: this.imageId,
      url: this.url,
    });
  }
}

/** Trusts the edge, and the configured proxies in front of it, to report the client's address. */
function behindEdge({ TRUSTED_PROXIES: inFront = "" }: GatewayEnvironment): string {
  return [edgeHost, ...(inFront === "" ? [] : [inFront])].join(",");
}

function hostVariables(
  { allowedHosts, network }: GatewayArgs,
  { host, containerName }: Replica,
): Partial<Record<ProgramVariable, string>> {
  if (allowedHosts === undefined) return {};
  return {
    ALLOWED_HOSTS: [...namesInNetwork([host, containerName], network.name), ...allowedHosts].join(","),
  };
}

/** Each container has its own file, named after the container because that is unique on the engine. */
function usageVariables(
  { usageVolume }: GatewayArgs,
  { containerName }: Replica,
): Partial<Record<ProgramVariable, string>> {
  return usageVolume === "" ? {} : { USAGE_FILE: `${usageFolder}/${containerName}.json` };
}

/** A single server is configured through OPEA's variables. */
function backendVariables(servers: readonly Backend[]): Partial<Record<ProgramVariable, string>> {
  const [first] = servers;
  if (first === undefined) throw new Error("a gateway needs a server");
  if (servers.length === 1) return { LLM_SERVICE_HOST_IP: first.host, LLM_SERVICE_PORT: String(first.port) };
  return { LLM_BACKENDS: servers.map(({ host, port }) => `${host}:${String(port)}`).join(",") };
}
