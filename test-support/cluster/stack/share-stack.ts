import { afterAll, beforeAll } from "vitest";
import { ClusterStack } from "./cluster-stack.ts";

/**
 * A stack that the tests of a file share. It is there from the first of them on and removed after the last.
 *
 * @param name unique among the tests
 * @param prepare configures it, and deploys it unless a test does
 */
export function shareStack(
  name: string,
  prepare: (stack: ClusterStack) => void | Promise<void>,
): () => ClusterStack {
  let stack: ClusterStack | undefined;
  beforeAll(async () => {
    stack = await ClusterStack.start(name);
    await prepare(stack);
  });
  afterAll(async () => {
    await stack?.dispose();
  });
  return () => {
    if (stack === undefined) throw new Error("the stack does not run");
    return stack;
  };
}
