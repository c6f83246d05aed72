// Run by Pulumi when the API keys of gateways in a cluster may have changed: reads the keys from standard input and waits
// until all running gateways use them. No gateway is restarted.
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { ClusterError, Kubectl } from "../../cluster/kubectl.ts";
import { listPods } from "../../cluster/pods.ts";
import { keyLabel, requireKeys } from "../../gateway/src/auth/api-keys.ts";
import { clusterAddress, required } from "./lib/env.ts";

const withinMs = Number(required("READY_TIMEOUT_SECONDS")) * 1000;
const pollMs = 500;
// The first sync has no effect on a kubelet that has not seen the changed Secret yet, so it is repeated.
const syncEveryMs = 5000;
const selector = "app=gateway";

const kubectl = new Kubectl(clusterAddress());
const expected = requireKeys(await text(process.stdin))
  .map(keyLabel)
  .toSorted()
  .join("\n");

try {
  const until = Date.now() + withinMs;
  let syncedAt = 0;
  for (;;) {
    const behind = await podsBehind();
    if (behind.length === 0) break;
    if (Date.now() > until)
      throw new ClusterError(
        `${behind.join(", ")} did not load the keys within ${String(withinMs / 1000)} s. To find out why: kubectl logs ${behind[0] ?? ""} --namespace ${kubectl.address.namespace}`,
      );
    if (Date.now() - syncedAt > syncEveryMs) {
      await kubectl.syncVolumes(selector);
      syncedAt = Date.now();
    }
    await sleep(pollMs);
  }
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}

/** Running gateways that still use other keys. */
async function podsBehind(): Promise<string[]> {
  const pods = (await listPods(kubectl, selector)).filter(
    ({ isGoing, running }) => !isGoing && running.includes("gateway"),
  );
  const inForce = await Promise.all(pods.map(({ name }) => keysInForce(name)));
  return pods.flatMap(({ name }, i) => (inForce[i] === expected ? [] : [name]));
}

/** Undefined if the gateway is starting or stopping. */
async function keysInForce(pod: string): Promise<string | undefined> {
  const command = ["node", "/app/control.cjs", "reload-keys"];
  try {
    const output = await kubectl.run(["exec", pod, "--container=gateway", "--", ...command]);
    return output.trim().split("\n").toSorted().join("\n");
  } catch (error) {
    if (!(error instanceof ClusterError) || error.isForbidden) throw error;
    return undefined;
  }
}
