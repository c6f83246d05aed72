import * as command from "@pulumi/command";
import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import { splitHostsLine } from "../../config/hosts-line.ts";
import type { Connection } from "../../../engine/connection.ts";
import type { TrustedCertificates } from "../../planning/trusted-certificates.ts";
import type { GpuRequest } from "../../planning/gpus/request.ts";

/** What a container of this stack needs to say for itself; how it is hardened and watched is the same for all. */
export interface ServiceContainerArgs {
  /** Name of the container, unique on the host. A change replaces it. */
  readonly name: string;
  /** Id of the image. A change replaces the container. */
  readonly image: pulumi.Input<string>;
  /** Command and arguments; the image's own by default. A change replaces the container. */
  readonly command?: readonly string[];
  /** Environment, name to value. A change replaces the container. */
  readonly environment: Readonly<Record<string, pulumi.Input<string>>>;
  /** Name of the network, and under which names the container is found there. A change replaces it. */
  readonly network: { readonly name: pulumi.Input<string>; readonly aliases: readonly string[] };
  /** Port in the container, and host address and port it is published at, if it is. A change replaces the container. */
  readonly port?: { readonly internal: number; readonly external: number; readonly address: string };
  /** Extra lines of /etc/hosts, "name:address". A change replaces the container. */
  readonly hosts?: readonly string[];
  /** Volumes; none by default. A change replaces the container. */
  readonly volumes?: readonly VolumeMount[];
  /** The GPUs it is given; none by default. A change replaces the container. */
  readonly gpus?: GpuRequest | undefined;
  /** Folder of the engine's host and where it is mounted, to be read only. A change replaces the container. */
  readonly folder?: { readonly source: string; readonly path: string };
  /** Certificates it trusts besides what its image does. A change replaces the container. */
  readonly trust?: TrustedCertificates | undefined;
  /** "user" or "user:group" it runs as; the image's own by default. A change replaces the container. */
  readonly user?: string;
  /** What it may do beyond nothing, such as "CAP_NET_BIND_SERVICE", as the engine names it. A change replaces the container. */
  readonly capabilities?: readonly string[];
  /** Command of the health check, run without a shell; without one, only its end is noticed. A change replaces it. */
  readonly healthCommand?: readonly string[];
  /** What is done once it runs: it is waited for, as a rule. */
  readonly ready: Ready;
  /** How commands reach the engine and the service. */
  readonly access: Connection;
  /** Seconds until an update gives up waiting for it. */
  readonly readyTimeoutSeconds: number;
  /** Seconds between SIGTERM and SIGKILL: long enough to finish what is in flight. A change replaces the container. */
  readonly stopGraceSeconds: number;
  readonly limits: ContainerLimits;
}

/** A volume and where it is mounted. */
export interface VolumeMount {
  readonly name: pulumi.Input<string>;
  readonly path: string;
  /** Whether the container may only read it. */
  readonly readOnly?: true;
}

/** The commands around a container's life. */
export interface Ready {
  /** Script that returns when the container is ready; run again when its environment changes. */
  readonly create: string;
  /** Script that is run before the container is replaced or deleted. */
  readonly delete?: string;
  readonly environment: Readonly<Record<string, pulumi.Input<string>>>;
}

/** Readiness is that a URL answers 2xx, as `access` reaches it. */
export function readyAt(url: string): Ready {
  return { create: "node components/commands/await-container.ts", environment: { READY_URL: url } };
}

/** Readiness is that a command in the container succeeds: for what is not published. */
export function readyWhen(inside: readonly string[]): Ready {
  const environment = { READY_COMMAND: JSON.stringify(inside) };
  return { create: "node components/commands/await-container.ts", environment };
}

/** Limits of one container. */
export interface ContainerLimits {
  /** MiB; swap is not added to it. Changed in place. */
  readonly memoryMiB: number;
  /** A number of CPUs such as "0.5"; empty means all. A change replaces the container. */
  readonly cpus: string;
  /** Processes and threads. Changed in place. */
  readonly pids: number;
  /** Files and connections of a process; the engine's own limit by default. A change replaces the container. */
  readonly openFiles?: number;
}

export interface ServiceContainer {
  readonly container: docker.Container;
  /** Succeeds when the container is ready. Whatever talks to it depends on this. */
  readonly ready: command.local.Command;
}

const trustFolder = "/trusted-certificates";

// Microseconds; the engine's own default.
const cpuPeriod = 100_000;

/**
 * A container with the least privileges and the traps of the provider handled:
 * - an edit of the mounts, health check, tmpfs, init or CPU quota is accepted and not applied by an update: they replace;
 * - `cpus` is read back in another form ("1" as "1.0", "10" as "10."), a difference for ever: the quota is set;
 * - with a `networkMode` of the network's own name the aliases are lost: only `networksAdvanced` names it;
 * - `memory` without `memorySwap` shows a difference for ever: both are set;
 * - without `destroyGraceSeconds` the engine kills at once: it is the stop grace;
 * - ports bind to all addresses by default: the address is always given;
 * - its `wait` leaves an incomplete resource when it fails: a command waits instead, and the next update waits again.
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

  const { create, delete: before, environment } = args.ready;
  const ready = new command.local.Command(
    `${name}-ready`,
    {
      create,
      ...(before === undefined ? {} : { delete: before }),
      environment: {
        ...args.access.environment,
        CONTAINER_NAME: args.name,
        PIDS_LIMIT: String(limits.pids),
        READY_TIMEOUT_SECONDS: String(args.readyTimeoutSeconds),
        ...environment,
      },
      triggers: [container.id],
    },
    // It is deleted together with the container, and its deletion is what drains that.
    { parent, dependsOn: container, deleteBeforeReplace: true },
  );
  return { container, ready };
}

function healthcheck(inside: readonly string[]): docker.types.input.ContainerHealthcheck {
  return { tests: ["CMD", ...inside], interval: "10s", timeout: "5s", retries: 3, startPeriod: "30s" };
}

/** For Go's programs a folder, for Node.js a file; the version only tells a renewed file from the one before. */
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
