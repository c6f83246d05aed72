import { Kubectl } from "../../cluster/kubectl.ts";
import { clusterOf, forwardedUrl } from "../stack/cluster-outputs.ts";
import type { Deployment } from "../stack/deployment.ts";
import { isDeployedInCluster } from "../stack/same-cluster.ts";
import { pulumi } from "../stack/pulumi-cli.ts";
import { settingsFor } from "../stack/settings.ts";
import { lockedUpdate } from "./locked-update.ts";
import { openStack } from "./recovery.ts";

interface ClusterStack {
  readonly stack: string;
  /** What to add to `npm run NAME` so that it is about the same stack. */
  readonly stackOption: string;
  readonly env: NodeJS.ProcessEnv;
  /** For the CLI. */
  readonly passed: readonly string[];
}

/** Refuses an update of what is deployed on Docker: it would be taken down there, with its models. */
export function refuseFromDocker(
  { resources }: Deployment,
  { stack, stackOption }: Pick<ClusterStack, "stack" | "stackOption">,
): void {
  if (!resources.some(({ type }) => type.startsWith("docker:"))) return;
  throw new Error(
    `the stack ${stack} is deployed on Docker, and its config says engine kubernetes. ` +
      `Set engine to docker and take it down with: npm run destroy${stackOption}, then bring it up in the cluster`,
  );
}

/** The same the other way round. */
export function refuseFromCluster(
  found: Deployment,
  { stack, stackOption }: Pick<ClusterStack, "stack" | "stackOption">,
): void {
  if (!isDeployedInCluster(found)) return;
  throw new Error(
    `the stack ${stack} is deployed on Kubernetes, and its config says engine docker. ` +
      `Set engine to kubernetes and take it down with: npm run destroy${stackOption}, then bring it up here`,
  );
}

/** Brings a stack up in its cluster. What somebody changed by hand is read first, and goes back to what the stack says. */
export async function upInCluster(on: ClusterStack): Promise<void> {
  const { stack, stackOption, env, passed } = on;
  // The program checks the cluster, too, but the state is read from it before: a provider fails in many words.
  const settings = settingsFor(stack, passed);
  await new Kubectl(clusterOf(settings, "")).run(["version", "--output=json"]);
  const found = await openStack(stack, env, passed);
  refuseFromDocker(found, on);
  const refresh = found.resources.length > 0 ? ["--refresh"] : [];
  await lockedUpdate(["up", "--yes", "--skip-preview", ...refresh, ...passed], stack, env);
  const output = async (name: string) =>
    (await pulumi(["stack", "output", name, "--stack", stack], { env, output: "read" })).trim();
  const gatewayUrl = await output("gatewayUrl");
  const hasConsole = String(settings("console")) === "true";
  console.log(`${hasConsole ? `\nConsole:    npm run open${stackOption}` : ""}
From here:  npm run forward${stackOption} (while it runs, the gateway is at the address below)
Try it:     curl ${forwardedUrl({ gatewayUrl })}/v1/models -H "authorization: Bearer $OLLAMA_STACK_API_KEY"
In there:   ${gatewayUrl}
Take down:  npm run destroy${stackOption}`);
}
