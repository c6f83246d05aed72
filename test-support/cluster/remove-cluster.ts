import { Cluster } from "./cluster.ts";

/** Called by vitest after the tests of a project that shares a cluster, when their process has ended or is about to. */
export async function teardown(): Promise<void> {
  await Cluster.removeLeftovers();
}
