import { isStale, locksIn, pulumi, PulumiFailed } from "../stack/pulumi-cli.ts";

/**
 * Runs an update of the CLI that takes the stack's lock. A lock left by a process of this host that was killed is
 * cleared, and the update runs; any other lock is the caller's to explain.
 */
export async function lockedUpdate(
  args: readonly string[],
  stack: string,
  env: NodeJS.ProcessEnv,
): Promise<void> {
  const command = [...args, "--stack", stack];
  try {
    await pulumi(command, { env, output: "show" });
  } catch (error) {
    if (!(error instanceof PulumiFailed)) throw error;
    const locks = locksIn(error.stderr);
    if (locks.length > 0 && locks.every(isStale)) {
      console.error(
        `The lock was left by a run that was killed (pid ${locks.map(({ pid }) => pid).join(", ")}): clearing it.`,
      );
      await pulumi(["cancel", "--yes", "--stack", stack], { env, output: "read" });
      await pulumi(command, { env, output: "show" });
      return;
    }
    throw error;
  }
}
