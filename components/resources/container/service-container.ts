import * as command from "@pulumi/command";
import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import { splitHostsLine } from "../../config/hosts-line.ts";
import type { Connection } from "../../../engine/connection.ts";
import type { TrustedCertificates } from "../../planning/trusted-certificates.ts";
import type { GpuRequest } from "../../planning/gpus/request.ts";
import type { NetworkToJoin } from "../network.ts";

/** Settings that all services of a stack have. */
interface ServiceSettings {
  /** Certificates to trust in addition to the image's. A change replaces the containers. */
  readonly trust?: TrustedCertificates | undefined;
  /** Seconds after which an update fails if the service is not ready. */
  readonly readyTimeoutSeconds: number;
  readonly limits: ContainerLimits;
  /** How commands reach the engine and the service. */
  readonly access: Connection;
}

/** Arguments that the components of all services have. */
export interface ServiceArgs extends ServiceSettings {
  /** Name of the first container; others, volumes and an image have it with a suffix. A change replaces all of them. */
  readonly containerName: string;
  /** Network to join. A change replaces the containers. */
  readonly network: NetworkToJoin;
}

/** The settings in which a stack's containers differ; hardening and readiness checks are the same for all. */
export interface ServiceContainerArgs extends ServiceSettings {
  /** Name of the container, unique on the host. A change replaces it. */
  readonly name: string;
  /** Id of the image. A change replaces the container. */
  readonly image: pulumi.Input<string>;
  /** Command and arguments; the image's own by default. A change replaces the container. */
  readonly command?: readonly string[];
  /** Environment, name to value. A change replaces the container. */
  readonly environment: Readonly<Record<string, pulumi.Input<string>>>;
  /** Name of the network, and the container's aliases there. A change replaces it. */
  readonly network: { readonly name: pulumi.Input<string>; readonly aliases: readonly string[] };
  /** Port in the container, and host address and port to publish it at, if any. A change replaces the container. */
  readonly port?: { readonly internal: number; readonly external: number; readonly address: string };
  /** Extra lines of /etc/hosts, "name:address". A change replaces the container. */
  readonly hosts?: readonly string[];
  /** Volumes; none by default. A change replaces the container. */
  readonly volumes?: readonly VolumeMount[];
  /** GPUs; none by default. A change replaces the container. */
  readonly gpus?: GpuRequest | undefined;
  /** Folder on the engine's host and its read-only mount path. A change replaces the container. */
  readonly folder?: { readonly source: string; readonly path: string };
  /** "user" or "user:group" it runs as; the image's own by default. A change replaces the container. */
  readonly user?: string;
  /** Capabilities to add, such as "CAP_NET_BIND_SERVICE"; none by default. A change replaces the container. */
  readonly capabilities?: readonly string[];
  /** Command of the health check, run without a shell; without one, only an exit is noticed. A change replaces it. */
  readonly healthCommand?: readonly string[];
  /** Commands that wait until it is ready, and drain it. */
  readonly ready: Ready;
  /** Seconds between SIGTERM and SIGKILL, for requests in flight. A change replaces the container. */
  readonly stopGraceSeconds: number;
}

/** A volume and its mount path. */
export interface VolumeMount {
  readonly name: pulumi.Input<string>;
  readonly path: string;
  /** Whether it is mounted read-only. */
  readonly readOnly?: true;
}

/** Commands that run when a container is created and deleted. */
export interface Ready {
  /** Script that returns when the container is ready; rerun when its environment changes. */
  readonly create: string;
  /** Script that runs before the container is replaced or deleted. */
  readonly delete?: string;
  readonly environment: Readonly<Record<string, pulumi.Input<string>>>;
  /**
   * Set if `create` changes the container according to the environment. A changed environment then replaces the resource: after
   * a run that failed or was killed, the state has none, so that the next update runs it, also with the former environment.
   */
  readonly configures?: true;
}

/** The container is ready when a URL, as reached through `access`, responds with 2xx. */
export function readyAt(url: string): Ready {
  return { create: "node components/commands/await-container.ts", environment: { READY_URL: url } };
}

/** The container is ready when a command in it succeeds; for containers without a published port. */
export function readyWhen(inside: readonly string[]): Ready {
  const environment = { READY_COMMAND: JSON.stringify(inside) };
  return { create: "node components/commands/await-container.ts", environment };
}

/** Limits of a container. */
export interface ContainerLimits {
  /** MiB, including swap. Changed in place. */
  readonly memoryMiB: number;
  /** A number of CPUs such as "0.5"; empty means all. A change replaces the container. */
  readonly cpus: string;
  /** Processes and threads. Changed in place. */
  readonly pids: number;
  /** Open files and connections of a process; the engine's limit by default. A change replaces the container. */
  readonly openFiles?: number;
}

export interface ServiceContainer {
  readonly container: docker.Container;
  /** Succeeds when the container is ready. Resources that use the container depend on this. */
  readonly ready: command.local.Command;
}

const trustFolder = "/trusted-certificates";

// Microseconds; the engine's own default.
const cpuPeriod = 100_000;

/**
 * A container with least privileges, and with workarounds for the provider:
 * - it accepts changes of mounts, health check, tmpfs, init and CPU quota but does not apply them: they force a replacement;
 * - it reads `cpus` back in another format ("1" as "1.0", "10" as "10."), a permanent difference: the quota is set instead;
 * - a `networkMode` with the network's name drops the aliases: only `networksAdvanced` is set;
 * - `memory` without `memorySwap` is a permanent difference: both are set;
 * - without `destroyGraceSeconds` the engine kills immediately: it is set to the stop grace period;
 * - ports bind to all addresses by default: the address is always set;
 * - when its `wait` fails, it leaves an incomplete resource: a command waits instead, and the next update waits again.
 */
export function serviceContainer(
  name: string,
  args: ServiceContainerArgs,
  parent: pulumi.Resource,
  dependsOn: readonly pulumi.Resource[] = [],
): ServiceContainer {
  const { limits } = args;
  const container = new docker.Container(
    `${name}-container`,
    {
      name: args.name,
      image: args.image,
      ...(args.command === undefined ? {} : { command: [...args.command] }),
      envs: Object.entries({ ...args.environment, ...trustVariables(args.trust) }).map(
        ([key, value]) => pulumi.interpolate`${key}=${value}`,
      ),
      networksAdvanced: [{ name: args.network.name, aliases: [...args.network.aliases] }],
      ports: args.port
        ? [{ internal: args.port.internal, external: args.port.external, ip: args.port.address }]
        : [],
      hosts: (args.hosts ?? []).map(splitHostsLine),
      ...(args.gpus === undefined ? {} : { deviceRequests: [args.gpus] }),
      mounts: mountsOf(args),
      ...(args.user === undefined ? {} : { user: args.user }),
      ...(args.healthCommand === undefined ? {} : { healthcheck: healthcheck(args.healthCommand) }),
      readOnly: true,
      tmpfs: { "/tmp": "rw,noexec,nosuid,nodev,size=64m" },
      capabilities: { drops: ["ALL"], ...(args.capabilities ? { adds: [...args.capabilities] } : {}) },
      securityOpts: ["no-new-privileges"],
      memory: limits.memoryMiB,
      memorySwap: limits.memoryMiB,
      ...(limits.cpus === "" ? {} : { cpuPeriod, cpuQuota: Math.round(Number(limits.cpus) * cpuPeriod) }),
      ...(limits.openFiles === undefined
        ? {}
        : { ulimits: [{ name: "nofile", soft: limits.openFiles, hard: limits.openFiles }] }),
      logDriver: "json-file",
      logOpts: { "max-size": "10m", "max-file": "3" },
      restart: "unless-stopped",
      mustRun: true,
      stopTimeout: args.stopGraceSeconds,
      destroyGraceSeconds: args.stopGraceSeconds,
    },
    {
      parent,
      dependsOn: [...dependsOn],
      replaceOnChanges: ["mounts", "healthcheck", "tmpfs", "init", "cpuPeriod", "cpuQuota"],
      deleteBeforeReplace: true,
    },
  );

  const { create, delete: before, environment, configures } = args.ready;
  const ready = new command.local.Command(
    `${name}-ready`,
    {
      create,
      ...(before === undefined ? {} : { delete: before }),
      environment: {
        ...args.access.environment,
        CONTAINER_NAME: args.name,
        // Deleting it must not drain another container that has the name meanwhile.
        ...(before === undefined ? {} : { CONTAINER_ID: container.id }),
        PIDS_LIMIT: String(limits.pids),
        READY_TIMEOUT_SECONDS: String(args.readyTimeoutSeconds),
        ...environment,
      },
      triggers: [container.id],
    },
    // It is deleted together with the container; its deletion drains the container.
    {
      parent,
      dependsOn: container,
      deleteBeforeReplace: true,
      replaceOnChanges: configures === undefined ? [] : ["environment"],
    },
  );
  return { container, ready };
}

function healthcheck(inside: readonly string[]): docker.types.input.ContainerHealthcheck {
  return { tests: ["CMD", ...inside], interval: "10s", timeout: "5s", retries: 3, startPeriod: "30s" };
}

/** Go programs read a folder, Node.js reads a file. The version only makes a renewed file replace the container. */
function trustVariables(trust: TrustedCertificates | undefined): Readonly<Record<string, string>> {
  if (trust === undefined) return {};
  return {
    NODE_EXTRA_CA_CERTS: `${trustFolder}/certificates.pem`,
    SSL_CERT_DIR: `/etc/ssl/certs:${trustFolder}`,
    TRUSTED_CERTIFICATES_VERSION: trust.version,
  };
}

function mountsOf({
  volumes = [],
  folder,
  trust,
}: ServiceContainerArgs): docker.types.input.ContainerMount[] {
  return [
    ...volumes.map(({ name, path, readOnly }) => ({
      type: "volume",
      source: name,
      target: path,
      ...(readOnly === undefined ? {} : { readOnly }),
    })),
    ...(folder === undefined
      ? []
      : [{ type: "bind", source: folder.source, target: folder.path, readOnly: true }]),
    ...(trust === undefined
      ? []
      : [{ type: "bind", source: trust.source, target: `${trustFolder}/certificates.pem`, readOnly: true }]),
  ];
}
