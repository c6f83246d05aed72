import type { ChildProcess } from "node:child_process";
import { createInterface } from "node:readline";

/** Waits for a process' first line of output; its output before a failure is the error. */
export async function firstLine(child: ChildProcess): Promise<void> {
  let errors = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => (errors += text));
  await new Promise<void>((resolve, reject) => {
    if (child.stdout !== null)
      createInterface({ input: child.stdout }).once("line", () => {
        resolve();
      });
    child.once("error", reject);
    child.once("exit", (code) => {
      reject(new Error(`${child.spawnargs.join(" ")} ended with ${String(code)}:\n${errors}`));
    });
  });
}
