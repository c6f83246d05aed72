// Run by Pulumi after it applied Ollama's StatefulSet: waits until all pods are updated and have all their models. Prints
// progress to stderr, and the models to stdout as JSON.
import { setTimeout as sleep } from "node:timers/promises";
import { clusterAddress, required } from "./lib/env.ts";
import { Pods } from "./model-keeper/pods.ts";
import { isFinished, RolloutWatch } from "./model-keeper/rollout.ts";

const version = required("MODELS_VERSION");
const readyMs = Number(required("READY_TIMEOUT_SECONDS")) * 1000;
const pollMs = 1000;
// The first sync has no effect on a kubelet that has not seen the changed list yet, so it is repeated.
const touchEveryMs = 5000;

const pods = new Pods(clusterAddress());
const watch = new RolloutWatch(version);

try {
  let last = "";
  let changedAt = Date.now();
  let touchedAt = 0;
  for (;;) {
    const rollout = await pods.rollout();
    if (isFinished(rollout, version)) {
      const models = rollout.pods[0]?.state?.models ?? [];
      console.log(JSON.stringify(models));
      break;
    }
    const isBehind = rollout.pods.some(({ state }) => state !== undefined && state.version !== version);
    if (isBehind && Date.now() - touchedAt > touchEveryMs) {
      await pods.touch();
      touchedAt = Date.now();
    }
    const progress = watch.observe(rollout);
    if (progress.failure !== undefined) throw new Error(progress.failure);
    const text = progress.lines.join("\n");
    if (text !== last) {
      console.error(text);
      [last, changedAt] = [text, Date.now()];
    } else if (Date.now() - changedAt > readyMs) {
      throw new Error(`No progress for ${String(readyMs / 1000)} s: ${text}`);
    }
    await sleep(pollMs);
  }
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}
