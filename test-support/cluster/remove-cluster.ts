import { Cluster } from "./cluster.ts";

/** Run by vitest after the tests of a project that shares a cluster, whose process has ended by then, or is about to. */
export async function teardown(): Promise<void> {
  await Cluster.removeLeftovers();
}
