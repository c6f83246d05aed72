// npm run smoke -- --stack NAME: runs the smoke tests against a deployed stack.
import { gatewayTarget } from "../../cluster/gateway-target.ts";
import { withForward } from "../../cluster/port-forward.ts";
import { engineEnvironment } from "../../engine/docker-cli.ts";
import { command } from "../cli/command.ts";
import { openCluster } from "../stack/cluster-outputs.ts";
import { readOutputs } from "../stack/outputs.ts";
import { withStackUrls } from "../connect/with-stack-urls.ts";
import { openSession } from "../cli/session.ts";
import { engineOf, isOnCluster } from "../stack/stack-file.ts";
import { runTests } from "../test-runner/vitest.ts";

await command("smoke", async ({ options, passed }) => {
  const { stack, env } = await openSession(options);
  const run = (variables: NodeJS.ProcessEnv) =>
    runTests(["--project=smoke", ...passed], { ...env, ...variables });
  if (isOnCluster(stack)) {
    const { outputs, kubectl } = await openCluster(stack, env);
    if (outputs.keysRequired && process.env["OLLAMA_STACK_API_KEY"] === undefined)
      throw new Error(
        `The gateway of ${stack} requires a key. Set OLLAMA_STACK_API_KEY to one; create one with: npm run keys -- add NAME --stack ${stack}`,
      );
    process.exitCode = await withForward(kubectl, await gatewayTarget(kubectl), "http", (gatewayUrl) =>
      run({ SMOKE_CLUSTER_STACK: JSON.stringify({ outputs, address: kubectl.address, gatewayUrl }) }),
    );
    return;
  }
  const outputs = await readOutputs(stack, env);
  process.exitCode = await withStackUrls(outputs, (reachable) =>
    run({ ...engineEnvironment(engineOf(stack)), SMOKE_STACK: JSON.stringify(reachable) }),
  );
});
