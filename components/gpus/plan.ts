import * as pulumi from "@pulumi/pulumi";
import type { StackConfig } from "../config.ts";
import { docker } from "../engine.ts";
import { engineInfo, type GpuRequest, planRequest } from "./request.ts";

/** What to ask the engine for; says at preview what is missing, and what `auto` came to. */
export async function planGpus(config: StackConfig): Promise<GpuRequest | undefined> {
  const { gpus, ollamaImage } = config;
  if (gpus === "none") return undefined;
  if (/:[^/]*rocm/.test(ollamaImage))
    throw new pulumi.RunError(
      `gpus is set and ollamaImage is ${ollamaImage}, but AMD's GPUs take /dev/kfd, which is not handed over here: only NVIDIA's are. pulumi config set ollamaImage one without rocm, or gpus none`,
    );
  const info = await docker(["info", "--format", "{{json .}}"], { engine: config });
  const plan = planRequest(gpus, engineInfo.parse(JSON.parse(info)));
  if ("problem" in plan) throw new pulumi.RunError(plan.problem);
  if (plan.note !== undefined) void pulumi.log.info(plan.note);
  return plan.request;
}
