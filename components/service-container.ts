import * as command from "@pulumi/command";
import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import type { Access } from "./access.ts";
import type { GpuRequest } from "./gpus/request.ts";

/** What a container of this stack needs to say for itself; how it is hardened and watched is the same for all. */
export interface ServiceContainerArgs {
  /** Name of the container, unique on the host. A change replaces it. */
  readonly name: string;
  /** Id of the image. A change replaces the container. */
  readonly image: pulumi.Input<string>;
  /** Environment, name to value. A change replaces the container. */
  readonly environment: Readonly<Record<string, pulumi.Input<string>>>;
  /** Name of the network, and under which name the container is found there. A change replaces it. */
  readonly network: { readonly name: pulumi.Input<string>; readonly alias: string };
  /** Port in the container, and host address and port it is published at. A change replaces the container. */
  readonly port: { readonly internal: number; readonly external: number; readonly address: string };
  /** Extra lines of /etc/hosts, "name:address". A change replaces the container. */
  readonly hosts?: readonly string[];
  /** Volume and where it is mounted. A change replaces the container. */
  readonly volume?: { readonly name: pulumi.Input<string>; readonly path: string };
  /** The GPUs it is given; none by default. A change replaces the container. */
  readonly gpus?: GpuRequest | undefined;
  /** "user" or "user:group" it runs as; the image's own by default. A change replaces the container. */
  readonly user?: string;
  /** Command of the health check, run without a shell. A change replaces the container. */
  readonly healthCommand: readonly string[];
  /** URL that answers 2xx once the service is ready, as `access` reaches it. */
  readonly readyUrl: string;
  /** How the command that waits for it reaches the engine and the service. */
  readonly access: Access;
  /** Seconds until an update gives up waiting for it. */
  readonly readyTimeoutSeconds: number;
  /** Seconds between SIGTERM and SIGKILL: long enough to finish what is in flight. A change replaces the container. */
  readonly stopGraceSeconds: number;
  readonly limits: ContainerLimits;
}

/** Limits of one container. */
export interface ContainerLimits {
  /** MiB; swap is not added to it. Changed in place. */
  readonly memoryMiB: number;
  /** A number of CPUs such as "0.5"; empty means all. A change replaces the container. */
  readonly cpus: string;
  /** Processes and threads. Changed in place. */
  readonly pids: number;
}

export interface ServiceContainer {
  readonly container: docker.Container;
  /** Succeeds when the container is ready. Whatever talks to it depends on this. */
  readonly ready: command.local.Command;
}

// Microseconds; the engine's own default.
const cpuPeriod = 100_000;

/**
 * A container with the least privileges and the traps of the provider handled:
 * - an edit of the mounts, health check, tmpfs, init or CPU quota is accepted and not applied by an update: they replace;
 * - `cpus` is read back in another form ("1" as "1.0", "10" as "10."), a difference for ever: the quota is set;
 * - with a `networkMode` of the network's own name the aliases are lost: only `networksAdvanced` names it;
 * - `memory` without `memorySwap` shows a difference for ever: both are set;
 * - without `destroyGraceSeconds` the engine kills at once: it is the stop grace;
 * - ports bind to all addresses unless told: the address is always given;
 * - its `wait` leaves a half-made resource when it fails: a command waits instead, and the next update waits again.
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
      envs: Object.entries(args.environment).map(([key, value]) => pulumi.interpolate`${key}=${value}`),
      networksAdvanced: [{ name: args.network.name, aliases: [args.network.alias] }],
      ports: [{ internal: args.port.internal, external: args.port.external, ip: args.port.address }],
      hosts: (args.hosts ?? []).map(splitHostsLine),
      mounts: args.volume ? [{ type: "volume", source: args.volume.name, target: args.volume.path }] : [],
      ...(args.gpus === undefined ? {} : { deviceRequests: [args.gpus] }),
      ...(args.user === undefined ? {} : { user: args.user }),
      healthcheck: {
        tests: ["CMD", ...args.healthCommand],
        interval: "10s",
        timeout: "5s",
        retries: 3,
        startPeriod: "30s",
      },
      readOnly: true,
      tmpfs: { "/tmp": "rw,noexec,nosuid,nodev,size=64m" },
      capabilities: { drops: ["ALL"] },
      securityOpts: ["no-new-privileges"],
      memory: limits.memoryMiB,
      memorySwap: limits.memoryMiB,
      ...(limits.cpus === "" ? {} : { cpuPeriod, cpuQuota: Math.round(Number(limits.cpus) * cpuPeriod) }),
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

  const ready = new command.local.Command(
    `${name}-ready`,
    {
      create: "node components/commands/await-container.ts",
      environment: {
        ...args.access.environment,
        CONTAINER_NAME: args.name,
        PIDS_LIMIT: String(limits.pids),
        READY_URL: args.readyUrl,
        READY_TIMEOUT_SECONDS: String(args.readyTimeoutSeconds),
      },
      triggers: [container.id],
    },
    { parent, dependsOn: container },
  );
  return { container, ready };
}

/** "registry:host-gateway" to what the provider takes; the address may itself hold colons (IPv6). */
export function splitHostsLine(line: string): { host: string; ip: string } {
  const colon = line.indexOf(":");
  return { host: line.slice(0, colon), ip: line.slice(colon + 1) };
}
