import type { ParsedConfig } from "../keys.ts";

/** The taints that nodes with GPUs have by convention, to keep pods without GPUs away. */
export function gpuTolerations({ gpus, gpuResource }: Pick<ParsedConfig, "gpus" | "gpuResource">) {
  if (gpus === "none") return [];
  const key = gpuResource.startsWith("nvidia.com/") ? "nvidia.com/gpu" : "amd.com/gpu";
  return [{ key, operator: "Exists", effect: "NoSchedule" } as const];
}
