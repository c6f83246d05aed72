import type { Difference, Repair } from "./difference.ts";
import { list, mebibyte, mebibytes, shortId } from "./format.ts";

/** The inputs of docker.Container that the engine can change on a running container, and what identifies it. */
export interface ContainerInputs {
  readonly name: string;
  /** Id of the image. */
  readonly image: string;
  readonly networksAdvanced?: readonly { readonly name: string; readonly aliases?: readonly string[] }[];
  readonly restart?: string;
  readonly maxRetryCount?: number;
  /** MiB, as the other two. */
  readonly memory?: number;
  readonly memorySwap?: number;
  readonly memoryReservation?: number;
  readonly cpus?: string;
  readonly cpuPeriod?: number;
  readonly cpuQuota?: number;
  readonly cpuShares?: number;
  readonly cpuSet?: string;
}

/** The compared fields of `docker container inspect`. */
export interface InspectedContainer {
  readonly Id: string;
  readonly Name: string;
  readonly Image: string;
  readonly State: { readonly Status: string };
  readonly Config: { readonly Hostname: string };
  readonly HostConfig: {
    readonly Memory: number;
    readonly MemorySwap: number;
    readonly MemoryReservation: number;
    readonly NanoCpus: number;
    readonly CpuPeriod: number;
    readonly CpuQuota: number;
    readonly CpuShares: number;
    readonly CpusetCpus: string;
    readonly BlkioWeight: number;
    readonly PidsLimit: number | null;
    readonly RestartPolicy: { readonly Name: string; readonly MaximumRetryCount: number };
  };
  readonly NetworkSettings: {
    readonly Networks: Readonly<
      Record<string, { readonly NetworkID: string; readonly Aliases: readonly string[] | null }>
    >;
  };
}

interface ExpectedContainer {
  readonly urn: string;
  readonly resource: string;
  readonly id: string;
  readonly inputs: ContainerInputs;
  /** Ids of the networks of the stack, by name. */
  readonly networks: ReadonlyMap<string, string>;
}

/**
 * The differences between a container and the state. Everything else (environment, mounts, privileges, ports, ...) cannot
 * change without recreating the container under another id.
 */
export function compareContainer(expected: ExpectedContainer, actual: InspectedContainer): Difference[] {
  const { urn, resource, id, inputs } = expected;
  const { Status: status } = actual.State;
  const own = actual.Id === id;
  const unpause: Repair = [["container", "unpause", inputs.name]];
  const compared: (readonly [string, string, string, Repair])[] = [
    ["id", shortId(id), own ? shortId(id) : `${shortId(actual.Id)}: it was recreated by hand`, "replace"],
    ["name", inputs.name, actual.Name.replace(/^\//, ""), "refresh"],
    ["state", "running", status, status === "paused" ? unpause : "refresh"],
    ["image", shortId(inputs.image), shortId(actual.Image), "replace"],
    ["networks", expectedNetworks(expected), attachedNetworks(expected, actual), "replace"],
    ...limits(inputs, actual.HostConfig),
  ];
  const differences = compared
    .filter(([, want, have]) => want !== have)
    .map(([property, want, have, repair]) => ({
      urn,
      resource,
      property,
      expected: want,
      actual: have,
      repair,
    }));
  if (own) return differences;
  // An update can recreate the container only after this one was removed.
  const repair = [["container", "rm", "--force", inputs.name]];
  return differences.map((difference) => ({ ...difference, repair }));
}

/** The properties that `docker container update` changes, except the limit of processes, which a command of the stack sets. */
function limits(
  inputs: ContainerInputs,
  actual: InspectedContainer["HostConfig"],
): (readonly [string, string, string, Repair])[] {
  const { memory = 0, memorySwap, memoryReservation = 0, cpus = "0", cpuQuota = 0, cpuPeriod = 0 } = inputs;
  const { restart = "no", maxRetryCount = 0 } = inputs;
  const { Name, MaximumRetryCount } = actual.RestartPolicy;
  const swap = mebibytes(actual.MemorySwap);
  return [
    ["memory", mebibytes(memory * mebibyte), mebibytes(actual.Memory), "refresh"],
    ["memory and swap", memorySwap === undefined ? swap : mebibytes(memorySwap * mebibyte), swap, "refresh"],
    [
      "memory reservation",
      mebibytes(memoryReservation * mebibyte),
      mebibytes(actual.MemoryReservation),
      "refresh",
    ],
    // The provider accepts a changed quota, but does not apply it to a running container.
    [
      "CPUs",
      cpuLimit(Number(cpus) * 1e9, cpuQuota, cpuPeriod),
      cpuLimit(actual.NanoCpus, actual.CpuQuota, actual.CpuPeriod),
      "replace",
    ],
    ["CPU shares", weight(inputs.cpuShares), weight(actual.CpuShares), "refresh"],
    ["CPU set", cpuSet(inputs.cpuSet), cpuSet(actual.CpusetCpus), "refresh"],
    ["block I/O weight", "default", weight(actual.BlkioWeight), "replace"],
    [
      "restart",
      restartPolicy(restart, maxRetryCount),
      restartPolicy(Name || "no", MaximumRetryCount),
      "refresh",
    ],
  ];
}

function cpuLimit(nano: number, quota: number, period: number): string {
  if (nano > 0) return String(nano / 1e9);
  return quota > 0 ? String(quota / (period > 0 ? period : 100_000)) : "all";
}

function cpuSet(cpus = ""): string {
  return cpus === "" ? "all" : cpus;
}

function weight(value = 0): string {
  return value <= 0 ? "default" : String(value);
}

function restartPolicy(name: string, retries: number): string {
  return retries > 0 ? `${name}, at most ${String(retries)} times` : name;
}

function expectedNetworks({ inputs, networks }: ExpectedContainer): string {
  return list(
    inputs.networksAdvanced?.map(({ name, aliases = [] }) => attachment(name, networks.get(name), aliases)),
  );
}

/** Removes the aliases that the engine adds itself. */
function attachedNetworks(
  { networks, inputs }: ExpectedContainer,
  { Id, Config, NetworkSettings }: InspectedContainer,
): string {
  const own = new Set([Id.slice(0, 12), Config.Hostname, inputs.name]);
  return list(
    Object.entries(NetworkSettings.Networks).map(([name, { NetworkID, Aliases }]) =>
      attachment(
        name,
        networks.has(name) ? NetworkID : undefined,
        (Aliases ?? []).filter((alias) => !own.has(alias)),
      ),
    ),
  );
}

function attachment(name: string, id: string | undefined, aliases: readonly string[]): string {
  const parts = [
    ...(id === undefined ? [] : [`id ${shortId(id)}`]),
    ...(aliases.length === 0 ? [] : [`as ${[...aliases].sort().join(" ")}`]),
  ];
  return parts.length === 0 ? name : `${name} (${parts.join(", ")})`;
}
