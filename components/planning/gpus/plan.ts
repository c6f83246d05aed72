import * as pulumi from "@pulumi/pulumi";
import type { StackConfig } from "../../config/keys.ts";
import { askEngine } from "../../../engine/docker-cli.ts";
import { engineInfo, type GpuRequest, planRequest } from "./request.ts";
import { engineCpus, cpuContentionWarning } from "./cpu-contention.ts";

/**
 * What to ask the engine for; says at preview what is missing, what `auto` came to, and when several servers would be in
 * each other's way on the CPU.
 */
export async function planGpus(config: StackConfig): Promise<GpuRequest | undefined> {
  const { gpus, ollamaImage, ollamaReplicas } = config;
  if (gpus === "none" && ollamaReplicas === 1) return undefined;
  if (gpus !== "none" && /:[^/]*rocm/.test(ollamaImage))
    throw new pulumi.RunError(
      `gpus is set and ollamaImage is ${ollamaImage}, but AMD's GPUs take /dev/kfd, which is not handed over here: only NVIDIA's are. pulumi config set ollamaImage one without rocm, or gpus none`,
    );
  const info = await askEngine(["info", "--format", "{{json .}}"], { engine: config });
  const engine = engineInfo.extend(engineCpus.shape).parse(JSON.parse(info));
  const plan = planRequest(gpus, engine);
  if ("problem" in plan) throw new pulumi.RunError(plan.problem);
  if (plan.note !== undefined) void pulumi.log.info(plan.note);
  const warning = plan.request === undefined ? cpuContentionWarning(config, engine) : undefined;
  if (warning !== undefined) void pulumi.log.warn(warning);
  return plan.request;
}
