import { spawn } from "node:child_process";
import type { Launch } from "./client-launches.ts";

/**
 * Runs a coding agent in this terminal until it exits. Signals are left to it, so that this process does not end before it.
 *
 * @param passed the user's own arguments
 * @returns its exit code; 1 if it was killed
 * @throws Error if it cannot be started
 */
export async function runAgent(
  { command, args, env, install }: Launch,
  passed: readonly string[],
): Promise<number> {
  // A terminal sends interrupts to the agent too; signals to this process alone are passed on.
  const wait = () => undefined;
  const passOn = (signal: NodeJS.Signals) => child.kill(signal);
  // Before the agent starts, as an earlier signal would end this process without it.
  process.on("SIGINT", wait).on("SIGTERM", passOn).on("SIGHUP", passOn);
  const child = spawn(command, [...args, ...passed], {
    stdio: "inherit",
    cwd: process.env["INIT_CWD"],
    env: { ...process.env, ...env },
  });
  try {
    return await new Promise((resolve, reject) => {
      child.once("error", (error: NodeJS.ErrnoException) => {
        const why = error.code === "ENOENT" ? `it is not installed. Install it: ${install}` : error.message;
        reject(new Error(`cannot start ${command}: ${why}`));
      });
      child.once("close", (code) => {
        resolve(code ?? 1);
      });
    });
  } finally {
    process.off("SIGINT", wait).off("SIGTERM", passOn).off("SIGHUP", passOn);
  }
}
