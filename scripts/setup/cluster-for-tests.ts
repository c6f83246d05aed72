import { join } from "node:path";
import { cacheRoot } from "../../host/cache-dir.mjs";
import { withLock } from "../../host/file-lock.mjs";
import { say } from "../../host/progress.ts";
import {
  buildCluster,
  buildProvider,
  isClusterBuilt,
  isProviderBuilt,
} from "../../toolchain/build-cluster.ts";

/** Builds what is missing of the Kubernetes for tests; and Pulumi's provider, where the tests deploy with it. */
export async function prepareCluster({ provider }: { readonly provider: boolean }): Promise<void> {
  if (isClusterBuilt() && (!provider || isProviderBuilt())) return;
  const waiting = ({ pid }: { readonly pid: number }) => {
    say(`waiting for process ${String(pid)}, which builds the same cluster`);
  };
  // Not the set-up's: the tests that run meanwhile set stacks up.
  await withLock(join(cacheRoot(), "cluster.lock"), waiting, async () => {
    await buildCluster();
    if (provider) await buildProvider();
  });
}
