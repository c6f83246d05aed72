import * as pulumi from "@pulumi/pulumi";
import type { StackConfig } from "../../config/keys.ts";
import { queryEngine } from "../../../engine/docker-cli.ts";
import { engineInfo, type GpuRequest, planRequest } from "./request.ts";
import { engineCpus, cpuContentionWarning } from "./cpu-contention.ts";

/**
 * Plans the GPU request. Preview reports missing GPUs, the outcome of `auto`, and servers that would contend for the CPU.
 */
export async function planGpus(config: StackConfig): Promise<GpuRequest | undefined> {
  const { gpus, ollamaImage, ollamaReplicas } = config;
  if (gpus === "none" && ollamaReplicas === 1) return undefined;
  if (gpus !== "none" && /:[^/]*rocm/.test(ollamaImage))
    throw new pulumi.RunError(
      `gpus is set and ollamaImage is ${ollamaImage}, but on Docker only NVIDIA GPUs are supported, because AMD GPUs need /dev/kfd. Set ollamaImage to one without rocm, or gpus to none`,
    );
  const info = await queryEngine(["info", "--format", "{{json .}}"], { engine: config });
  const engine = engineInfo.extend(engineCpus.shape).parse(JSON.parse(info));
  const plan = planRequest(gpus, engine);
  if ("problem" in plan) throw new pulumi.RunError(plan.problem);
  if (plan.note !== undefined) void pulumi.log.info(plan.note);
  const warning = plan.request === undefined ? cpuContentionWarning(config, engine) : undefined;
  if (warning !== undefined) void pulumi.log.warn(warning);
  return plan.request;
}
