import { spawn } from "node:child_process";
import type { Project, Result } from "../../test-support/stack/project.ts";

const deadlineMs = 5 * 60_000;

/**
 * Runs a script of a project in a terminal, that of util-linux's `script`, and types a reply at its first prompt.
 *
 * @param prompt matches the output once the script waits for input
 * @throws Error with the output when the script does not end within five minutes
 */
export async function onTerminal(
  { folder, env }: Project,
  args: readonly string[],
  prompt: RegExp,
  reply: string,
): Promise<Result> {
  const command = [process.execPath, ...args].map((each) => `'${each}'`).join(" ");
  // The CLI does not treat a terminal without a size as one.
  const child = spawn("script", ["-qec", `stty rows 50 cols 200 && ${command}`, "/dev/null"], {
    cwd: folder,
    env,
    stdio: ["pipe", "pipe", "inherit"],
    detached: true,
  });
  let output = "";
  let hasReplied = false;
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    output = stripEscapes(output + text);
    if (hasReplied || !prompt.test(output)) return;
    hasReplied = true;
    child.stdin.write(`${reply}\n`);
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    const deadline = setTimeout(() => {
      // The script in the terminal gets SIGHUP when its terminal closes.
      if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
      reject(new Error(`${command} did not end in ${String(deadlineMs / 60_000)} minutes:\n${output}`));
    }, deadlineMs);
    child.once("error", reject);
    child.once("close", resolve);
    child.once("close", () => {
      clearTimeout(deadline);
    });
  });
  return { code: code ?? -1, output };
}

/** Removes carriage returns and the escape sequences for cursor and colours. */
function stripEscapes(text: string): string {
  // eslint-disable-next-line no-control-regex
  return text.replaceAll(/\r|\x1b\[[0-9;?]*[A-Za-z]/g, "");
}
