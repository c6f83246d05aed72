import type { Property } from "./property.ts";
import { count, list, mebibyte, mebibytes } from "./format.ts";

export const limits: readonly Property[] = [
  {
    name: "memory",
    inputs: ["memory"],
    expected: (asked) => mebibytes((asked.memory ?? 0) * mebibyte),
    actual: ({ HostConfig }) => mebibytes(HostConfig.Memory),
    inPlace: true,
  },
  {
    name: "memory and swap",
    inputs: ["memorySwap"],
    expected: (asked) =>
      asked.memorySwap === undefined ? undefined : mebibytes(asked.memorySwap * mebibyte),
    actual: ({ HostConfig }) => mebibytes(HostConfig.MemorySwap),
    inPlace: true,
  },
  {
    name: "memory reservation",
    inputs: ["memoryReservation"],
    expected: (asked) => mebibytes((asked.memoryReservation ?? 0) * mebibyte),
    actual: ({ HostConfig }) => mebibytes(HostConfig.MemoryReservation),
    inPlace: true,
  },
  {
    name: "shared memory",
    inputs: ["shmSize"],
    expected: (asked) => (asked.shmSize === undefined ? undefined : mebibytes(asked.shmSize * mebibyte)),
    actual: ({ HostConfig }) => mebibytes(HostConfig.ShmSize),
  },
  {
    name: "CPUs",
    inputs: ["cpus", "cpuPeriod", "cpuQuota"],
    expected: ({ cpus, cpuPeriod, cpuQuota }) =>
      cpuLimit(Number(cpus ?? 0) * 1e9, cpuQuota ?? 0, cpuPeriod ?? 0),
    actual: ({ HostConfig }) => cpuLimit(HostConfig.NanoCpus, HostConfig.CpuQuota, HostConfig.CpuPeriod),
  },
  {
    name: "CPU shares",
    inputs: ["cpuShares"],
    expected: (asked) => count(asked.cpuShares),
    actual: ({ HostConfig }) => count(HostConfig.CpuShares),
    inPlace: true,
  },
  {
    name: "CPU set",
    inputs: ["cpuSet"],
    expected: (asked) => (asked.cpuSet ?? "") || "all",
    actual: ({ HostConfig }) => HostConfig.CpusetCpus || "all",
    inPlace: true,
  },
  {
    name: "block I/O weight",
    inputs: [],
    expected: () => count(undefined),
    actual: ({ HostConfig }) => count(HostConfig.BlkioWeight),
  },
  {
    name: "OOM killer",
    inputs: [],
    expected: () => "on, score 0",
    actual: ({ HostConfig }) =>
      `${HostConfig.OomKillDisable === true ? "off" : "on"}, score ${String(HostConfig.OomScoreAdj)}`,
  },
  {
    name: "ulimits",
    inputs: ["ulimits"],
    expected: (asked) =>
      list(asked.ulimits?.map(({ name, soft, hard }) => `${name}=${String(soft)}:${String(hard)}`)),
    actual: ({ HostConfig }) =>
      list(HostConfig.Ulimits?.map(({ Name, Soft, Hard }) => `${Name}=${String(Soft)}:${String(Hard)}`)),
  },
];

function cpuLimit(nano: number, quota: number, period: number): string {
  if (nano > 0) return String(nano / 1e9);
  return quota > 0 ? String(quota / (period > 0 ? period : 100_000)) : "all";
}
