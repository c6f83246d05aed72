import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import { type Connection, type OllamaConnection, publishedUrl, serviceUrl } from "../../engine/connection.ts";
import type { StackConfig } from "../config/keys.ts";
import type { EngineInfo } from "../planning/engine-info.ts";
import { checkGpuMemory } from "./gpu-memory-check.ts";
import type { GpuRequest } from "../planning/gpus/request.ts";
import type { OllamaModel } from "./ollama-model.ts";
import { type Drain, drainedServer } from "./container/drain-hooks.ts";
import type { ModelServer } from "../planning/models/plan.ts";
import { replicas } from "../../engine/names.ts";
import { firstOf, replicaContainers } from "./container/replicas.ts";
import { pulledImage } from "./container/pulled-image.ts";
import { readyAt, readyWhen, type ServiceArgs } from "./container/service-container.ts";

/** The port that Ollama listens on inside its container. */
export const ollamaInternalPort = 11434;

export interface OllamaServerArgs extends ServiceArgs {
  /** Image of the server, by tag or tag and digest. A change replaces the container and keeps the models. */
  readonly image: string;
  /** Platform of the image; empty means the engine's own. A change replaces image and container. */
  readonly platform: string;
  /** Number of containers, which share one volume and are replaced one at a time. */
  readonly replicas: number;
  /** How a replica is drained before it is replaced. */
  readonly drain: Drain;
  /** Host address at which the first container's port is published. A change replaces the container. */
  readonly bindAddress: string;
  /** Host port; 0 publishes none. A change replaces the container. */
  readonly port: number;
  /** Extra lines of /etc/hosts, "name:address". A change replaces the container. */
  readonly hosts: readonly string[];
  /** Further variables; those set by other arguments take precedence. A change replaces the container. */
  readonly environment?: Readonly<Record<string, pulumi.Input<string>>>;
  /** Parallel requests per loaded model. A change replaces the container. */
  readonly parallel: number;
  /** Default context of a model, tokens. A change replaces the container. */
  readonly contextLength: number;
  /** How long an idle model stays loaded, such as "5m". A change replaces the container. */
  readonly keepAlive: string;
  /** GPUs; none by default. A change replaces the container. */
  readonly gpus?: GpuRequest | undefined;
  /** An external volume, which may have other users; "" for its own volume. A change replaces the container. */
  readonly modelVolume: string;
  /** Whether destroy keeps the volume with the models. Changed in place. */
  readonly retainModels: boolean;
  /** Whether the volume is protected from being deleted or replaced. Changed in place. */
  readonly protectModels: boolean;
  /** How commands reach it. */
  readonly access: OllamaConnection;
}

const modelFolder = "/root/.ollama";

const internal = { host: "ollama", port: ollamaInternalPort };

/** The server's address for commands and its volume, derived from the config before anything runs. */
export function modelServer(
  config: StackConfig,
  engine: EngineInfo,
  access: Connection,
  containerName: string,
): ModelServer {
  const published = ollamaUrl(access, config.ollamaBindAddress, config.ollamaPort);
  return {
    url: serviceUrl(access, { published, ...internal }),
    volume: {
      name: config.modelVolume === "" ? volumeName(containerName) : config.modelVolume,
      container: containerName,
      path: modelFolder,
      engine: config,
      host: { name: engine.Name, root: engine.DockerRootDir },
    },
  };
}

/** One or more Ollama servers that share a volume of models. */
export class OllamaServer extends pulumi.ComponentResource {
  /** The first one. */
  readonly containerName: pulumi.Output<string>;
  readonly containerNames: readonly pulumi.Output<string>[];
  readonly containerIds: readonly pulumi.Output<string>[];
  readonly volumeName: pulumi.Output<string>;
  readonly imageId: pulumi.Output<string>;
  /** The published URL as seen from the engine's host. Resolves once it is ready. */
  readonly url: pulumi.Output<string>;
  /** The URL for commands, as reached through `access`. Known before it runs. */
  readonly address: string;
  /** The same, resolved once it is ready. */
  readonly readyAddress: pulumi.Output<string>;
  /** Its address on the network. */
  readonly internal = internal;
  readonly #name: string;
  readonly #args: OllamaServerArgs;
  /** The address of each container on the network. */
  readonly hosts: readonly (typeof internal)[];

  constructor(name: string, args: OllamaServerArgs, opts?: pulumi.ComponentResourceOptions) {
    // An unknown input of a component would delay all its children.
    const { network, ...known } = args;
    super("ollama-stack:index:OllamaServer", name, { ...known, networkName: network.name }, opts);
    this.#name = name;
    this.#args = args;
    const image = pulledImage(`${name}-image`, args.image, args.platform, { parent: this });
    const volume = args.modelVolume === "" ? ownVolume(name, args, this).name : args.modelVolume;
    const published = ollamaUrl(args.access, args.bindAddress, args.port);
    this.address = serviceUrl(args.access, { published, ...this.internal });
    const healthCommand = ["ollama", "list"];
    const { hosts, containerNames, containerIds, allReady } = replicaContainers(
      name,
      {
        count: args.replicas,
        containerName: args.containerName,
        host: internal.host,
        networkName: network.networkName,
      },
      ({ host, isFirst }) => {
        const ready = isFirst ? readyAt(`${this.address}/api/version`) : readyWhen(healthCommand);
        return {
          image: image.imageId,
          environment: {
            ...args.environment,
            OLLAMA_HOST: `0.0.0.0:${String(ollamaInternalPort)}`,
            OLLAMA_NUM_PARALLEL: String(args.parallel),
            OLLAMA_CONTEXT_LENGTH: String(args.contextLength),
            OLLAMA_KEEP_ALIVE: args.keepAlive,
            // Keeps prompts on the private service.
            OLLAMA_NO_CLOUD: "1",
            // At start, it would delete layers that another server on the volume is pulling.
            ...(args.modelVolume === "" && isFirst ? {} : { OLLAMA_NOPRUNE: "1" }),
          },
          ...(isFirst && args.port !== 0
            ? { port: { internal: ollamaInternalPort, external: args.port, address: args.bindAddress } }
            : {}),
          hosts: args.hosts,
          // Root without capabilities, because the image's home, and so a new volume, belongs to root.
          volumes: [{ name: volume, path: modelFolder }],
          gpus: args.gpus,
          trust: args.trust,
          healthCommand,
          ready:
            args.replicas === 1
              ? ready
              : drainedServer(ready, `${host}:${String(ollamaInternalPort)}`, args.drain),
          readyTimeoutSeconds: args.readyTimeoutSeconds,
          stopGraceSeconds: 10,
          limits: args.limits,
          access: args.access,
        };
      },
      this,
    );
    this.containerNames = containerNames;
    this.containerName = firstOf(containerNames);
    this.containerIds = containerIds;
    this.volumeName = pulumi.output(volume);
    this.imageId = image.imageId;
    this.url = allReady.apply(() => published);
    this.readyAddress = allReady.apply(() => this.address);
    this.hosts = hosts.map((host) => ({ ...internal, host }));
    this.registerOutputs({
      containerName: this.containerName,
      volumeName: this.volumeName,
      imageId: this.imageId,
      url: this.url,
    });
  }

  /** Checks that fail an update if a model is not in GPU memory; empty without GPUs. */
  gpuMemoryCheck(models: readonly OllamaModel[]): pulumi.Resource[] {
    const { gpus, keepAlive, replicas: count, access } = this.#args;
    if (gpus === undefined) return [];
    // Each server loads its own copy of a model, so the memory may suffice for the first but not for the second.
    const checks: pulumi.Resource[] = [];
    for (const [i, name] of replicas(this.#name, count).entries()) {
      const isFirst = i === 0;
      const { host, port } = this.hosts[i] ?? internal;
      const server = {
        name: this.containerNames[i] ?? "",
        id: this.containerIds[i] ?? "",
        address: isFirst ? this.readyAddress : `http://${host}:${String(port)}`,
        keepAlive,
      };
      const target = { server, models, access: isFirst ? access : access.others };
      checks.push(checkGpuMemory(name, target, this, checks));
    }
    return checks;
  }
}

function ownVolume(name: string, args: OllamaServerArgs, parent: pulumi.Resource): docker.Volume {
  return new docker.Volume(
    `${name}-models`,
    { name: volumeName(args.containerName) },
    { parent, retainOnDelete: args.retainModels, protect: args.protectModels },
  );
}

function volumeName(containerName: string): string {
  return `${containerName}-models`;
}

/** The server's published URL, or its address in the network if it is not published. */
function ollamaUrl(access: Connection, bindAddress: string, port: number): string {
  if (port === 0) return `http://${internal.host}:${String(internal.port)}`;
  return publishedUrl(access, bindAddress, port);
}
