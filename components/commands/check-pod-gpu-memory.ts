// Run by Pulumi once the pods of Ollama have their models, where they have GPUs: fails when a model is not in the memory of
// its pod's GPUs, as the keepers of the models found.
import { setTimeout as sleep } from "node:timers/promises";
import { clusterAddress } from "./lib/env.ts";
import { gpuReport } from "./model-keeper/gpu-report.ts";
import { Pods } from "./model-keeper/pods.ts";

const pollMs = 1000;
// As long as Ollama may take for all models of a pod.
const loadMs = 30 * 60_000;

const pods = new Pods(clusterAddress());
try {
  let last = "";
  let changedAt = Date.now();
  for (;;) {
    const { unknown, problems } = gpuReport((await pods.rollout()).pods);
    if (unknown.length === 0) {
      for (const problem of problems) console.error(problem);
      if (problems.length > 0) process.exitCode = 1;
      break;
    }
    const text = `${unknown.join(", ")}: loading each model, to see whether it is in GPU memory`;
    if (text !== last) {
      console.error(text);
      [last, changedAt] = [text, Date.now()];
    } else if (Date.now() - changedAt > loadMs)
      throw new Error(`Nothing has changed for ${String(loadMs / 60_000)} min: ${text}`);
    await sleep(pollMs);
  }
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}
