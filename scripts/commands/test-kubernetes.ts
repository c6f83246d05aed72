// npm run test:kubernetes: builds Kubernetes and Pulumi's provider, and runs the tests that need them. Passes arguments to
// vitest.
import { whyNoCluster } from "../../test-support/cluster/cluster.ts";
import { SetupError } from "../../host/exec.ts";
import { command } from "../cli/command.ts";
import { openSession } from "../cli/session.ts";
import { prepareCluster } from "../setup/cluster-for-tests.ts";
import { runTests } from "../test-runner/vitest.ts";

await command("test-kubernetes", async ({ operands, passed }) => {
  const why = whyNoCluster();
  if (why !== undefined) throw new SetupError(`the tests of stacks on Kubernetes cannot run here: ${why}`);
  const { env, toolSource } = await openSession();
  await prepareCluster({ stacks: true });
  process.exitCode = await runTests(["--project=cluster", "--project=kubernetes", ...operands, ...passed], {
    ...env,
    OLLAMA_STACK_WORLD: toolSource,
  });
});
