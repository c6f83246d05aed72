import { afterAll, beforeAll } from "vitest";
import { ClusterStack } from "./cluster-stack.ts";

/**
 * Provides a stack that the tests of a file share. It is removed after the last test.
 *
 * @param name unique among the tests
 * @param prepare configures the stack, and deploys it unless a test does
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
    if (stack === undefined) throw new Error("the stack is not running");
    return stack;
  };
}
