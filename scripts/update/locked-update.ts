import { isStale, locksIn, pulumi, PulumiFailed } from "../stack/pulumi-cli.ts";

/**
 * Runs an update that locks the stack. Clears a lock left by a killed process of this host and retries; throws on any other
 * lock.
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
        `Clearing the stack's lock, which a killed run left (pid ${locks.map(({ pid }) => pid).join(", ")}).`,
      );
      await pulumi(["cancel", "--yes", "--stack", stack], { env, output: "read" });
      await pulumi(command, { env, output: "show" });
      return;
    }
    throw error;
  }
}
