import { join } from "node:path";
import { cacheRoot } from "../../host/cache-dir.mjs";
import { withLock } from "../../host/file-lock.mjs";
import { printLine } from "../../host/progress.ts";
import {
  buildCluster,
  buildForStacks,
  isClusterBuilt,
  isForStacksBuilt,
} from "../../toolchain/build-cluster.ts";

/** Builds what is missing of the Kubernetes for tests; and what it takes to deploy stacks in it, where the tests do. */
export async function prepareCluster({ stacks }: { readonly stacks: boolean }): Promise<void> {
  if (isClusterBuilt() && (!stacks || isForStacksBuilt())) return;
  const waiting = ({ pid }: { readonly pid: number }) => {
    printLine(`waiting for process ${String(pid)}, which builds the same cluster`);
  };
  // Not the set-up's: the tests that run meanwhile set stacks up.
  await withLock(join(cacheRoot(), "cluster.lock"), waiting, async () => {
    await buildCluster();
    if (stacks) await buildForStacks();
  });
}
