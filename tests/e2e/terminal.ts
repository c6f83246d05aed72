import { spawn } from "node:child_process";
import type { Project, Result } from "../../test-support/stack/project.ts";

const deadlineMs = 5 * 60_000;

/**
 * Runs a script of a project on a terminal, that of util-linux's `script`, and types an answer when it asks.
 *
 * It is killed after five minutes, and its output told.
 *
 * @param question what it ends with when it has asked
 */
export async function onTerminal(
  { folder, env }: Project,
  args: readonly string[],
  question: RegExp,
  answer: string,
): Promise<Result> {
  const command = [process.execPath, ...args].map((each) => `'${each}'`).join(" ");
  // A terminal that has no size is none to the CLI.
  const child = spawn("script", ["-qec", `stty rows 50 cols 200 && ${command}`, "/dev/null"], {
    cwd: folder,
    env,
    stdio: ["pipe", "pipe", "inherit"],
    detached: true,
  });
  let output = "";
  let asked = false;
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    output = plain(output + text);
    if (asked || !question.test(output)) return;
    asked = true;
    child.stdin.write(`${answer}\n`);
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    const deadline = setTimeout(() => {
      // What runs on the terminal is hung up when that goes.
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

/** Without what moves the cursor and colours. */
function plain(text: string): string {
  // eslint-disable-next-line no-control-regex
  return text.replaceAll(/\r|\x1b\[[0-9;?]*[A-Za-z]/g, "");
}
