// @ts-check
// Plain JavaScript: scripts/run.mjs needs it on whatever Node.js the machine has.
import { randomUUID } from "node:crypto";
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { constants } from "node:os";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { isRunning, processStatus } from "./process-liveness.mjs";

/**
 * The process that holds a lock. `started` distinguishes it from a later process with the same id; empty if unknown.
 *
 * @typedef {{ readonly pid: number, readonly started: string }} Owner
 */

const pollMs = 500;
const defaultInterruption = "interrupted: finished steps are kept, run it again to continue";
const signals = /** @type {const} */ (["SIGINT", "SIGTERM", "SIGHUP"]);

/**
 * Whether the process that wrote the lock is gone.
 *
 * @param {Owner} owner
 */
export function isAbandoned({ pid, started }) {
  if (!isRunning(pid)) return true;
  const now = processStatus(pid)?.started ?? "";
  return now !== "" && started !== "" && now !== started;
}

/**
 * Runs `work` while holding the lock file. Others wait; a lock whose owner has exited is taken over.
 *
 * @template T
 * @param {string} path
 * @param {(owner: Owner) => void} waiting
 * @param {() => T | Promise<T>} work
 * @param {string} [interruption] the message for a user who interrupts the work
 * @returns {Promise<T>}
 */
export async function withLock(path, waiting, work, interruption = defaultInterruption) {
  mkdirSync(dirname(path), { recursive: true });
  const own = `${path}.${randomUUID()}.partial-${process.pid}`;
  const me = { pid: process.pid, started: processStatus(process.pid)?.started ?? "" };
  writeFileSync(own, JSON.stringify(me));
  try {
    for (let reported = false; !acquire(own, path);) {
      const lock = read(path);
      if (lock === undefined) continue;
      const { owner } = lock;
      if (owner === undefined || isAbandoned(owner)) {
        discard(path, owner);
        continue;
      }
      if (!reported) waiting(owner);
      reported = true;
      await sleep(pollMs);
    }
  } finally {
    rmSync(own, { force: true });
  }
  const release = () => {
    rmSync(path, { force: true });
  };
  /** @param {NodeJS.Signals} signal */
  const interrupted = (signal) => {
    console.error(interruption);
    // The "exit" handlers release the lock and kill running tools.
    process.exit(128 + constants.signals[signal]);
  };
  process.once("exit", release);
  for (const signal of signals) process.once(signal, interrupted);
  try {
    return await work();
  } finally {
    for (const signal of signals) process.off(signal, interrupted);
    process.off("exit", release);
    release();
  }
}

/**
 * Creates the lock atomically, with its content, as a hard link.
 *
 * @param {string} own
 * @param {string} path
 */
function acquire(own, path) {
  try {
    linkSync(own, path);
    return true;
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code === "EEXIST") return false;
    throw error;
  }
}

/**
 * Reads a lock; undefined if it does not exist. Its owner is unknown if a power failure left it incomplete, because a running
 * process creates it with its content.
 *
 * @param {string} path
 * @returns {{ readonly owner: Owner | undefined } | undefined}
 */
function read(path) {
  const text = unlessMissing(path, "read", () => readFileSync(path, "utf8"));
  if (text === undefined) return undefined;
  try {
    const { pid, started } = JSON.parse(text);
    return { owner: Number.isInteger(pid) && typeof started === "string" ? { pid, started } : undefined };
  } catch {
    return { owner: undefined };
  }
}

/**
 * Removes an abandoned lock. If another process was faster and the removed lock is its own, puts it back.
 *
 * @param {string} path
 * @param {Owner | undefined} abandoned
 */
function discard(path, abandoned) {
  const aside = `${path}.stale-${process.pid}`;
  const renamed = unlessMissing(path, "removed", () => {
    renameSync(path, aside);
    return true;
  });
  if (renamed === undefined) return;
  const taken = read(aside)?.owner;
  if (taken !== undefined && (taken.pid !== abandoned?.pid || taken.started !== abandoned.started))
    acquire(aside, path);
  rmSync(aside, { force: true });
}

/**
 * Returns undefined if the lock does not exist. Any other failure is permanent, such as that of another user's lock.
 *
 * @template T
 * @param {string} path
 * @param {string} what
 * @param {() => T} access
 * @returns {T | undefined}
 */
function unlessMissing(path, what, access) {
  try {
    return access();
  } catch (error) {
    const { code } = /** @type {NodeJS.ErrnoException} */ (error);
    if (code === "ENOENT") return undefined;
    throw new Error(
      `the lock ${path} cannot be ${what} (${code}): delete it, unless another user's command is still running`,
      { cause: error },
    );
  }
}
