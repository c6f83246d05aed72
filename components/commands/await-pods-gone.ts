// Run by Pulumi after the StatefulSet of Ollama was deleted, and before its namespace is: waits until its pods have
// ended. A namespace that is deleted with pods in it is looked at again after half their grace period only.
import { setTimeout as sleep } from "node:timers/promises";
import { Kubectl } from "../../cluster/kubectl.ts";
import { clusterAddress, required } from "./lib/env.ts";

const pollMs = 500;
const until = Date.now() + Number(required("PODS_END_WITHIN_SECONDS")) * 1000;
const kubectl = new Kubectl(clusterAddress());

try {
  // What is not gone by then, such as a pod on a node that is lost, goes with the namespace or holds that up.
  while (Date.now() < until) {
    const names = await kubectl.run(["get", "pods", "--selector=app=ollama", "--output=name"]);
    if (names.trim() === "") break;
    await sleep(pollMs);
  }
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}
