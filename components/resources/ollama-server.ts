import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import { type Connection, type OllamaConnection, publishedUrl, serviceUrl } from "../../engine/connection.ts";
import type { StackConfig } from "../config/keys.ts";
import { checkGpuMemory } from "./gpu-memory-check.ts";
import type { GpuRequest } from "../planning/gpus/request.ts";
import type { OllamaModel } from "./ollama-model.ts";
import { type Drain, drainedServer } from "./container/drain-hooks.ts";
import type { TrustedCertificates } from "../planning/trusted-certificates.ts";
import type { ModelServer } from "../planning/models/plan.ts";
import { replicas } from "../../engine/names.ts";
import type { NetworkToJoin } from "./network.ts";
import { firstOf, replicaContainers } from "./container/replicas.ts";
import { imageTimeouts } from "./container/image-timeouts.ts";
import { readyAt, readyWhen, type ContainerLimits } from "./container/service-container.ts";

/** The port that Ollama listens on inside its container. */
export const ollamaInternalPort = 11434;

export interface OllamaServerArgs {
  /** Image of the server, by tag or tag and digest. A change replaces the container, the models stay. */
  readonly image: string;
  /** Platform of the image; empty means the engine's own. A change replaces image and container. */
  readonly platform: string;
  /** How many containers, all on one volume. They are replaced one after the other. */
  readonly replicas: number;
  /** Is notified before one of several is replaced. */
  readonly drain: Drain;
  /** Name of the first container and, with "-models" behind it, of the volume. A change replaces both. */
  readonly containerName: string;
  /** Network to join, under the alias `ollama`, `ollama-2` and so on. A change replaces the container. */
  readonly network: NetworkToJoin;
  /** Host address that the first one's port is published at. A change replaces the container. */
  readonly bindAddress: string;
  /** Host port; 0 publishes none. A change replaces the container. */
  readonly port: number;
  /** Extra lines of /etc/hosts, "name:address". A change replaces the container. */
  readonly hosts: readonly string[];
  /** Further variables; those that other arguments set win. A change replaces the container. */
  readonly environment?: Readonly<Record<string, pulumi.Input<string>>>;
  /** Certificates that it trusts besides what its image does. A change replaces the containers. */
  readonly trust?: TrustedCertificates | undefined;
  /** Requests that a loaded model works on at once. A change replaces the container. */
  readonly parallel: number;
  /** Default context of a model, tokens. A change replaces the container. */
  readonly contextLength: number;
  /** How long an idle model stays loaded, such as "5m". A change replaces the container. */
  readonly keepAlive: string;
  /** The GPUs it is given; none by default. A change replaces the container. */
  readonly gpus?: GpuRequest | undefined;
  /** Volume that is there already and may have other users; "" means one of its own. A change replaces the container. */
  readonly modelVolume: string;
  /** Whether the volume with the models stays at destroy. Changed in place. */
  readonly retainModels: boolean;
  /** Whether the volume is protected from being deleted or replaced. Changed in place. */
  readonly protectModels: boolean;
  /** Seconds until an update gives up waiting for the server. */
  readonly readyTimeoutSeconds: number;
  readonly limits: ContainerLimits;
  /** How commands reach it. */
  readonly access: OllamaConnection;
}

const modelFolder = "/root/.ollama";

const internal = { host: "ollama", port: ollamaInternalPort };

/** Where commands reach the server of a config and where it keeps its models, known before anything runs. */
export function modelServer(config: StackConfig, access: Connection, containerName: string): ModelServer {
  const published = ollamaUrl(access, config.ollamaBindAddress, config.ollamaPort);
  return {
    url: serviceUrl(access, { published, ...internal }),
    volume: {
      name: config.modelVolume === "" ? volumeName(containerName) : config.modelVolume,
      container: containerName,
      path: modelFolder,
      engine: config,
    },
  };
}

/** An Ollama server with a volume for its models and a port on the host; or several on that volume. */
export class OllamaServer extends pulumi.ComponentResource {
  /** The first one. */
  readonly containerName: pulumi.Output<string>;
  readonly containerNames: readonly pulumi.Output<string>[];
  readonly containerIds: readonly pulumi.Output<string>[];
  readonly volumeName: pulumi.Output<string>;
  readonly imageId: pulumi.Output<string>;
  /** Where its port is published, seen from the engine's host. Known only once it is ready. */
  readonly url: pulumi.Output<string>;
  /** Where commands ask it, by the access they are given. Known before it runs. */
  readonly address: string;
  /** The same, once it is ready. */
  readonly readyAddress: pulumi.Output<string>;
  /** Where it answers on the network. */
  readonly internal = internal;
  readonly #name: string;
  readonly #args: OllamaServerArgs;
  /** Where each of its containers answers on the network. */
  readonly hosts: readonly (typeof internal)[];

  constructor(name: string, args: OllamaServerArgs, opts?: pulumi.ComponentResourceOptions) {
    // An input of a component that is not known yet would keep all that is in it waiting.
    const { network, ...known } = args;
    super("ollama-stack:index:OllamaServer", name, { ...known, networkName: network.name }, opts);
    this.#name = name;
    this.#args = args;
    const image = new docker.RemoteImage(
      `${name}-image`,
      { name: args.image, keepLocally: true, ...(args.platform === "" ? {} : { platform: args.platform }) },
      { parent: this, ...imageTimeouts },
    );
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
            // What is sent to a private service does not leave it.
            OLLAMA_NO_CLOUD: "1",
            // When it starts, it would delete what another server on the volume is just pulling.
            ...(args.modelVolume === "" && isFirst ? {} : { OLLAMA_NOPRUNE: "1" }),
          },
          ...(isFirst && args.port !== 0
            ? { port: { internal: ollamaInternalPort, external: args.port, address: args.bindAddress } }
            : {}),
          hosts: args.hosts,
          // Root without a single capability: the image's home, and so a new volume, belongs to root.
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

  /** What fails an update when a model does not sit in GPU memory; nothing if there are no GPUs. */
  gpuMemoryCheck(models: readonly OllamaModel[]): pulumi.Resource[] {
    const { gpus, keepAlive, replicas: count, access } = this.#args;
    if (gpus === undefined) return [];
    // Each has a copy of its own: where the first still fits, the second may not.
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
      const asked = { server, models, access: isFirst ? access : access.others };
      checks.push(checkGpuMemory(name, asked, this, checks));
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

/** Where the server is published; one that is not has only its place in the network. */
function ollamaUrl(access: Connection, bindAddress: string, port: number): string {
  if (port === 0) return `http://${internal.host}:${String(internal.port)}`;
  return publishedUrl(access, bindAddress, port);
}
