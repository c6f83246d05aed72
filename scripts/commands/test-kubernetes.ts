// npm run test:kubernetes: builds a Kubernetes, and runs the tests that need one. Arguments go to vitest.
import { join } from "node:path";
import { whyNoCluster } from "../../test-support/cluster/cluster.ts";
import { buildCluster, isClusterBuilt } from "../../toolchain/build-cluster.ts";
import { cacheRoot } from "../../host/cache-dir.mjs";
import { SetupError } from "../../host/exec.ts";
import { withLock } from "../../host/file-lock.mjs";
import { say } from "../../host/progress.ts";
import { command } from "../cli/command.ts";
import { openSession } from "../cli/session.ts";
import { runTests } from "../test-runner/vitest.ts";

await command("test-kubernetes", async ({ operands, passed }) => {
  const why = whyNoCluster();
  if (why !== undefined) throw new SetupError(`the tests of stacks on Kubernetes cannot run here: ${why}`);
  const { env, world } = await openSession();
  if (!isClusterBuilt()) {
    const lock = join(cacheRoot(), "setup.lock");
    const waiting = ({ pid }: { readonly pid: number }) => {
      say(`waiting for process ${String(pid)}, which is setting up the same tools`);
    };
    await withLock(lock, waiting, buildCluster);
  }
  process.exitCode = await runTests(["--project=kubernetes", ...operands, ...passed], {
    ...env,
    OLLAMA_STACK_WORLD: world,
  });
});
