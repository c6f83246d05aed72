// Run by Pulumi once Ollama's pods have their models, if they have GPUs: fails if a model keeper reports that a model is not
// in GPU memory.
import { clusterAddress, requiredVariable } from "./lib/env.ts";
import { pollUntil } from "./lib/poll-until.ts";
import { runCommand } from "./lib/run-command.ts";
import { gpuReport } from "./model-keeper/gpu-report.ts";
import { Pods } from "./model-keeper/pods.ts";

// Maximum time for Ollama to load a model.
const loadMs = 30 * 60_000;

await runCommand(async () => {
  const limitMs = Number(requiredVariable("READY_TIMEOUT_SECONDS")) * 1000;
  const pods = new Pods(clusterAddress());
  const problems = await pollUntil(
    async () => {
      const { unknown, problems } = gpuReport((await pods.rollout()).pods);
      if (unknown.length === 0) return { result: problems };
      return {
        pending: `${unknown.join(", ")}: loading each model to check that it is in GPU memory`,
        limitMs: loadMs,
      };
    },
    { everyMs: 1000, limitMs },
  );
  if (problems.length > 0) throw new Error(problems.join("\n"));
});
