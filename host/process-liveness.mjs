// @ts-check
// Plain JavaScript: scripts/run.mjs needs it on whatever Node.js the machine has.
import { readFileSync } from "node:fs";

/**
 * Whether a process with this id runs on this machine, even as another user.
 *
 * @param {number} pid
 */
export function isRunning(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return /** @type {NodeJS.ErrnoException} */ (error).code === "EPERM";
  }
}

/**
 * A process' status from Linux' /proc; undefined if not available. A killed process stays a zombie until its parent waits
 * for it. `started` distinguishes a process from a later one with the same id.
 *
 * @param {number} pid
 */
export function processStatus(pid) {
  try {
    // The command's name is in brackets and may itself contain spaces and brackets.
    const [, name = "", rest = ""] = /\((.*)\) (.*)/s.exec(readFileSync(`/proc/${pid}/stat`, "utf8")) ?? [];
    const fields = rest.split(" ");
    return { name, isZombie: fields[0] === "Z" || fields[0] === "X", started: fields[19] ?? "" };
  } catch {
    return undefined;
  }
}
