import { spawn } from "node:child_process";
import type { Project, Result } from "./project.ts";

/**
 * Runs a script of a project on a terminal, that of util-linux's `script`, and types an answer when it asks.
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
    child.once("error", reject);
    child.once("close", resolve);
  });
  return { code: code ?? -1, output };
}

/** Without what moves the cursor and colours. */
function plain(text: string): string {
  // eslint-disable-next-line no-control-regex
  return text.replaceAll(/\r|\x1b\[[0-9;?]*[A-Za-z]/g, "");
}
