// Run by Pulumi between deleting Ollama's StatefulSet and its namespace: waits until the pods have terminated. Kubernetes
// rechecks a namespace deleted with pods in it only after half their grace period.
import { setTimeout as sleep } from "node:timers/promises";
import { Kubectl } from "../../cluster/kubectl.ts";
import { clusterAddress, required } from "./lib/env.ts";

const pollMs = 500;
const until = Date.now() + Number(required("PODS_END_WITHIN_SECONDS")) * 1000;
const kubectl = new Kubectl(clusterAddress());

try {
  // Pods that remain, such as those on a lost node, are left to the namespace's deletion.
  while (Date.now() < until) {
    const names = await kubectl.run(["get", "pods", "--selector=app=ollama", "--output=name"]);
    if (names.trim() === "") break;
    await sleep(pollMs);
  }
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}
