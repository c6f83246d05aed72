import type { ParsedConfig } from "../../config/keys.ts";

type GpuKeys = Pick<ParsedConfig, "gpus" | "gpuResource" | "gpusPerPod" | "gpuGroups" | "runtimeClass">;

/** What a pod of Ollama and its container have because of GPUs. */
export function gpuSettings({ gpus, gpuResource, gpusPerPod, gpuGroups, runtimeClass }: GpuKeys) {
  const runtime = runtimeClass === "" ? {} : { runtimeClassName: runtimeClass };
  if (gpus === "none")
    return {
      pod: runtime,
      supplementalGroups: {},
      limits: {},
      // Ollama's image asks for all GPUs, and a node whose default runtime is NVIDIA's gives them to whoever does.
      environment: { NVIDIA_VISIBLE_DEVICES: "void" },
    };
  const isNvidia = gpuResource.startsWith("nvidia.com/");
  return {
    pod: runtime,
    supplementalGroups: gpuGroups.length === 0 ? {} : { supplementalGroups: gpuGroups },
    limits: { [gpuResource]: String(gpusPerPod) },
    // Which devices there are, the device plugin says; an image without this would see them and not use them.
    environment: isNvidia ? { NVIDIA_DRIVER_CAPABILITIES: "compute,utility" } : {},
  };
}
