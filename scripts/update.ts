import { isStale, locksIn, pulumi, PulumiFailed } from "./pulumi-cli.ts";

/**
 * Runs an update of the CLI that takes the stack's lock. A lock left by a process of this host that was killed is
 * cleared, and the update runs; any other lock is explained.
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
    console.error(explain(error.stderr, stack) ?? "");
    throw error;
  }
}

/** What to do about a failure that the CLI names without saying so. */
export function explain(stderr: string, stack: string): string | undefined {
  const [lock] = locksIn(stderr);
  if (lock !== undefined) {
    return (
      `The stack ${stack} is locked by ${lock.user} on ${lock.host} (pid ${String(lock.pid)}), who is updating it or was cut off. ` +
      `Wait for that; if it is gone: npm run pulumi -- cancel --stack ${stack}`
    );
  }
  if (/incorrect passphrase/i.test(stderr)) {
    return (
      `The passphrase is not the one that the secrets of the stack ${stack} were encrypted with. ` +
      `Set PULUMI_CONFIG_PASSPHRASE or PULUMI_CONFIG_PASSPHRASE_FILE to that one.`
    );
  }
  return undefined;
}
