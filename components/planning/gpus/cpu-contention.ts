import type { StackConfig } from "../../config/keys.ts";
import type { EngineInfo } from "../engine-info.ts";

type Servers = Pick<StackConfig, "ollamaReplicas" | "ollamaCpus" | "models">;

/**
 * Warns if several servers without GPUs would each use all cores: their threads spin-wait for each other, and two parallel
 * responses take 20 to 30 times as long (measured on 2 cores with Ollama 0.17.4).
 */
export function cpuContentionWarning(
  { ollamaReplicas, ollamaCpus, models }: Servers,
  { NCPU, CgroupVersion }: Pick<EngineInfo, "NCPU" | "CgroupVersion">,
): string | undefined {
  if (ollamaReplicas === 1) return undefined;
  const share = Math.max(1, Math.floor(NCPU / ollamaReplicas));
  const unbounded = models.filter(({ parameters }) => (parameters?.num_thread ?? NCPU) > share);
  if (unbounded.length === 0) return undefined;
  // Ollama limits its threads to the container's CPU limit with cgroup v2, but not with v1.
  const seesLimits = CgroupVersion === "2";
  if (seesLimits && ollamaCpus !== "" && Math.floor(Number(ollamaCpus)) <= share) return undefined;
  const fix = seesLimits
    ? `pulumi config set ollamaCpus ${String(share)}`
    : `parameters: {num_thread: ${String(share)}} in models, for ${unbounded.map(({ name }) => name).join(", ")}`;
  return (
    `ollamaReplicas is ${String(ollamaReplicas)}, and without GPUs each replica uses all ${String(NCPU)} cores of the ` +
    `engine's host, which makes parallel responses many times slower. Limit each to its share: ${fix}`
  );
}
