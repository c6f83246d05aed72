import { z } from "zod";
import type { StackConfig } from "../../config/keys.ts";

/** `docker info`, as far as it concerns CPUs. */
export const engineCpus = z.object({ NCPU: z.number(), CgroupVersion: z.string().nullish() });

type Servers = Pick<StackConfig, "ollamaReplicas" | "ollamaCpus" | "models">;

/**
 * What to say when servers without GPUs would each generate with all cores of their engine: their threads wait for each
 * other spinning, and two answers at once take 20 to 30 times as long (measured on 2 cores, Ollama 0.17.4).
 */
export function cpuContentionWarning(
  { ollamaReplicas, ollamaCpus, models }: Servers,
  { NCPU, CgroupVersion }: z.output<typeof engineCpus>,
): string | undefined {
  if (ollamaReplicas === 1) return undefined;
  const share = Math.max(1, Math.floor(NCPU / ollamaReplicas));
  const unbounded = models.filter(({ parameters }) => (parameters?.num_thread ?? NCPU) > share);
  if (unbounded.length === 0) return undefined;
  // With cgroup v2, Ollama takes as many threads as its container may use CPUs; of v1 it knows nothing.
  const seesLimits = CgroupVersion === "2";
  if (seesLimits && ollamaCpus !== "" && Math.floor(Number(ollamaCpus)) <= share) return undefined;
  const mend = seesLimits
    ? `pulumi config set ollamaCpus ${String(share)}`
    : `parameters: {num_thread: ${String(share)}} in models, for ${unbounded.map(({ name }) => name).join(", ")}`;
  return (
    `ollamaReplicas is ${String(ollamaReplicas)}, and without GPUs each generates with all ${String(NCPU)} cores of the ` +
    `engine's host: answers at the same time take many times as long. Give each its share: ${mend}`
  );
}
