// Run by Pulumi when the API keys of gateways in a cluster may have changed: reads the keys from standard input and waits
// until all running gateways use them. No gateway is restarted.
import { text } from "node:stream/consumers";
import { ClusterError, Kubectl } from "../../cluster/kubectl.ts";
import { listPods } from "../../cluster/pods.ts";
import { keyLabel, requireKeys } from "../../gateway/src/auth/api-keys.ts";
import { clusterAddress, requiredVariable } from "./lib/env.ts";
import { pollUntil } from "./lib/poll-until.ts";
import { runCommand } from "./lib/run-command.ts";

// The first sync has no effect on a kubelet that has not seen the changed Secret yet, so it is repeated.
const syncEveryMs = 5000;
const selector = "app=gateway";

await runCommand(async () => {
  const withinSeconds = Number(requiredVariable("READY_TIMEOUT_SECONDS"));
  const kubectl = new Kubectl(clusterAddress());
  const expected = requireKeys(await text(process.stdin))
    .map(keyLabel)
    .toSorted()
    .join("\n");
  let syncedAt = 0;
  await pollUntil(
    async () => {
      const behind = await podsBehind(kubectl, expected);
      const [first] = behind;
      if (first === undefined) return { result: undefined };
      if (Date.now() - syncedAt > syncEveryMs) {
        await kubectl.syncVolumes(selector);
        syncedAt = Date.now();
      }
      const names = behind.join(", ");
      return {
        pending: `${names}: loading the keys`,
        failure: `${names} did not load the keys within ${String(withinSeconds)} s. To find out why: kubectl logs ${first} --namespace ${kubectl.address.namespace}`,
      };
    },
    { everyMs: 500, limitMs: withinSeconds * 1000 },
  );
});

/** Running gateways that still use other keys. */
async function podsBehind(kubectl: Kubectl, expected: string): Promise<string[]> {
  const pods = (await listPods(kubectl, selector)).filter(
    ({ isTerminating, running }) => !isTerminating && running.includes("gateway"),
  );
  const inForce = await Promise.all(pods.map(({ name }) => keysInForce(kubectl, name)));
  return pods.flatMap(({ name }, i) => (inForce[i] === expected ? [] : [name]));
}

/** Undefined if the gateway is starting or stopping. */
async function keysInForce(kubectl: Kubectl, pod: string): Promise<string | undefined> {
  const command = ["node", "/app/control.cjs", "reload-keys"];
  try {
    const output = await kubectl.run(["exec", pod, "--container=gateway", "--", ...command]);
    return output.trim().split("\n").toSorted().join("\n");
  } catch (error) {
    if (!(error instanceof ClusterError) || error.isForbidden) throw error;
    return undefined;
  }
}
