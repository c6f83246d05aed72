import { ask } from "./exec.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * How npm is started: the one that runs this script, which its environment names, or the one on the PATH. On Windows
 * that is a script of the shell, npm.cmd, which only a shell starts.
 */
export function npmCommand(
  environment: Environment = process.env,
  platform: string = process.platform,
): readonly [string, ...string[]] {
  const running = environment["npm_execpath"] ?? "";
  if (/npm-cli\.c?js$/.test(running)) return [process.execPath, running];
  return platform === "win32" ? ["cmd.exe", "/d", "/s", "/c", "npm"] : ["npm"];
}

/** What npm prints, or undefined when it fails. */
export async function askNpm(args: readonly string[], timeoutMs: number): Promise<string | undefined> {
  const [command, ...before] = npmCommand();
  return await ask(command, [...before, ...args], { timeoutMs });
}
