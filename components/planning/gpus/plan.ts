import * as pulumi from "@pulumi/pulumi";
import type { StackConfig } from "../../config/keys.ts";
import type { EngineInfo } from "../engine-info.ts";
import { type GpuRequest, planRequest } from "./request.ts";
import { cpuContentionWarning } from "./cpu-contention.ts";

/**
 * Plans the GPU request. Preview reports missing GPUs, the outcome of `auto`, and servers that would contend for the CPU.
 */
export function planGpus(config: StackConfig, engine: EngineInfo): GpuRequest | undefined {
  const { gpus, ollamaImage, ollamaReplicas } = config;
  if (gpus === "none" && ollamaReplicas === 1) return undefined;
  if (gpus !== "none" && /:[^/]*rocm/.test(ollamaImage))
    throw new pulumi.RunError(
      `gpus is set and ollamaImage is ${ollamaImage}, but on Docker only NVIDIA GPUs are supported, because AMD GPUs need /dev/kfd. Set ollamaImage to one without rocm, or gpus to none`,
    );
  const plan = planRequest(gpus, engine);
  if ("problem" in plan) throw new pulumi.RunError(plan.problem);
  if (plan.note !== undefined) void pulumi.log.info(plan.note);
  const warning = plan.request === undefined ? cpuContentionWarning(config, engine) : undefined;
  if (warning !== undefined) void pulumi.log.warn(warning);
  return plan.request;
}
