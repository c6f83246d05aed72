import type { ParsedConfig } from "../../config/keys.ts";

type GpuKeys = Pick<ParsedConfig, "gpus" | "gpuResource" | "gpusPerPod" | "gpuGroups" | "runtimeClass">;

/** GPU settings of an Ollama pod and its container. */
export function gpuSettings({ gpus, gpuResource, gpusPerPod, gpuGroups, runtimeClass }: GpuKeys) {
  const runtime = runtimeClass === "" ? {} : { runtimeClassName: runtimeClass };
  if (gpus === "none")
    return {
      pod: runtime,
      supplementalGroups: {},
      limits: {},
      // Ollama's image requests all GPUs, which NVIDIA's runtime grants if it is a node's default.
      environment: { NVIDIA_VISIBLE_DEVICES: "void" },
    };
  const isNvidia = gpuResource.startsWith("nvidia.com/");
  return {
    pod: runtime,
    supplementalGroups: gpuGroups.length === 0 ? {} : { supplementalGroups: gpuGroups },
    limits: { [gpuResource]: String(gpusPerPod) },
    // The device plugin selects the devices; without this, an image would see but not use them.
    environment: isNvidia ? { NVIDIA_DRIVER_CAPABILITIES: "compute,utility" } : {},
  };
}
