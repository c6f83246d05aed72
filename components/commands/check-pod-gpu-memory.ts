// Run by Pulumi once Ollama's pods have their models, if they have GPUs: fails if a model keeper reports that a model is not
// in GPU memory.
import { setTimeout as sleep } from "node:timers/promises";
import { clusterAddress } from "./lib/env.ts";
import { gpuReport } from "./model-keeper/gpu-report.ts";
import { Pods } from "./model-keeper/pods.ts";

const pollMs = 1000;
// Maximum time for Ollama to load a model.
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
    const text = `${unknown.join(", ")}: loading each model to check that it is in GPU memory`;
    if (text !== last) {
      console.error(text);
      [last, changedAt] = [text, Date.now()];
    } else if (Date.now() - changedAt > loadMs)
      throw new Error(`No progress for ${String(loadMs / 60_000)} min: ${text}`);
    await sleep(pollMs);
  }
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}
