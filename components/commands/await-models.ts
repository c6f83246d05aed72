// Run by Pulumi after it applied Ollama's StatefulSet: waits until all pods are updated and have all their models. Prints
// progress to stderr, and the models to stdout as JSON.
import { clusterAddress, requiredVariable } from "./lib/env.ts";
import { pollUntil } from "./lib/poll-until.ts";
import { runCommand } from "./lib/run-command.ts";
import { Pods } from "./model-keeper/pods.ts";
import { isFinished, RolloutWatch } from "./model-keeper/rollout.ts";

// The first sync has no effect on a kubelet that has not seen the changed list yet, so it is repeated.
const touchEveryMs = 5000;

await runCommand(async () => {
  const version = requiredVariable("MODELS_VERSION");
  const readyMs = Number(requiredVariable("READY_TIMEOUT_SECONDS")) * 1000;
  const stopMs = Number(requiredVariable("PODS_END_WITHIN_SECONDS")) * 1000;
  const pods = new Pods(clusterAddress());
  const watch = new RolloutWatch(version, { readyMs, stopMs });
  let touchedAt = 0;
  const models = await pollUntil(
    async () => {
      const rollout = await pods.rollout();
      if (isFinished(rollout, version)) return { result: rollout.pods[0]?.state?.models ?? [] };
      const isBehind = rollout.pods.some(({ state }) => state !== undefined && state.version !== version);
      if (isBehind && Date.now() - touchedAt > touchEveryMs) {
        await pods.touch();
        touchedAt = Date.now();
      }
      const { lines, limitMs, failure } = watch.observe(rollout);
      if (failure !== undefined) throw new Error(failure);
      return { pending: lines.join("\n"), limitMs };
    },
    { everyMs: 1000, limitMs: readyMs },
  );
  console.log(JSON.stringify(models));
});
