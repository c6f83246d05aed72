// Run by Pulumi between deleting Ollama's StatefulSet and its namespace: waits until the pods have terminated. Kubernetes
// rechecks a namespace deleted with pods in it only after half their grace period.
import { Kubectl } from "../../cluster/kubectl.ts";
import { clusterAddress, requiredVariable } from "./lib/env.ts";
import { pollUntil } from "./lib/poll-until.ts";
import { runCommand } from "./lib/run-command.ts";

await runCommand(async () => {
  const limitMs = Number(requiredVariable("PODS_END_WITHIN_SECONDS")) * 1000;
  const until = Date.now() + limitMs;
  const kubectl = new Kubectl(clusterAddress());
  await pollUntil(
    async () => {
      const names = await kubectl.run(["get", "pods", "--selector=app=ollama", "--output=name"]);
      // Pods that remain, such as those on a lost node, are left to the namespace's deletion.
      if (names.trim() === "" || Date.now() > until) return { result: undefined };
      return { pending: "Ollama's pods are terminating" };
    },
    { everyMs: 500, limitMs },
  );
});
