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

/** Builds missing parts of the Kubernetes for tests, and Pulumi's provider for tests that deploy stacks in it. */
export async function prepareCluster({ stacks }: { readonly stacks: boolean }): Promise<void> {
  if (isClusterBuilt() && (!stacks || isForStacksBuilt())) return;
  const waiting = ({ pid }: { readonly pid: number }) => {
    printLine(`waiting for process ${String(pid)}, which builds the same cluster`);
  };
  // A separate lock from the set-up's, because concurrently running tests set stacks up.
  await withLock(join(cacheRoot(), "cluster.lock"), waiting, async () => {
    await buildCluster();
    if (stacks) await buildForStacks();
  });
}
