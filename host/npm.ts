import { tryRun } from "./exec.ts";

/**
 * The command that starts npm: the npm that runs this script, or else the one on the PATH. On Windows the latter is
 * npm.cmd, which needs a shell.
 */
export function npmCommand(
  environment: NodeJS.ProcessEnv = process.env,
  platform: string = process.platform,
): readonly [string, ...string[]] {
  const running = environment["npm_execpath"] ?? "";
  if (/npm-cli\.c?js$/.test(running)) return [process.execPath, running];
  return platform === "win32" ? ["cmd.exe", "/d", "/s", "/c", "npm"] : ["npm"];
}

/** Runs npm; returns its output, or undefined if it fails. */
export async function tryNpm(args: readonly string[], timeoutMs: number): Promise<string | undefined> {
  const [command, ...before] = npmCommand();
  return await tryRun(command, [...before, ...args], { timeoutMs });
}
