import { randomUUID } from "node:crypto";
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { constants } from "node:os";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/** Who holds a lock. `started` tells the process from a later one that was given the same number. */
export interface Owner {
  readonly pid: number;
  readonly started: string;
}

const pollMs = 500;
const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** When a process was started, as the kernel counts; empty where that cannot be known. */
export function startOf(pid: number): string {
  try {
    // The command's name stands in brackets and may itself contain spaces: count from behind it.
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? "";
  } catch {
    return "";
  }
}

/** Whether the process that wrote the lock is gone. */
export function isAbandoned(owner: Owner): boolean {
  try {
    process.kill(owner.pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ESRCH";
  }
  const started = startOf(owner.pid);
  return started !== "" && owner.started !== "" && started !== owner.started;
}

/** Does the work while holding the lock file; others wait, and a lock whose owner is gone is taken over. */
export async function withLock<T>(
  path: string,
  waiting: (owner: Owner) => void,
  work: () => Promise<T>,
): Promise<T> {
  mkdirSync(dirname(path), { recursive: true });
  const own = `${path}.${randomUUID()}.partial-${process.pid}`;
  const me: Owner = { pid: process.pid, started: startOf(process.pid) };
  writeFileSync(own, JSON.stringify(me));
  const release = () => {
    rmSync(path, { force: true });
  };
  try {
    for (let told = false; !acquire(own, path);) {
      const owner = read(path);
      if (owner === undefined) continue;
      if (isAbandoned(owner)) {
        discard(path, owner);
        continue;
      }
      if (!told) waiting(owner);
      told = true;
      await sleep(pollMs);
    }
  } finally {
    rmSync(own, { force: true });
  }
  const interrupted = (signal: NodeJS.Signals) => {
    console.error("interrupted: what was finished stays, run it again to go on");
    // By way of "exit", where the lock is given back and tools that are running are ended.
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

/** A hard link is made or refused in one step, with its content already in it. */
function acquire(own: string, path: string): boolean {
  try {
    linkSync(own, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

function read(path: string): Owner | undefined {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as Owner;
  } catch {
    return undefined;
  }
}

/** Takes an abandoned lock away; puts it back when somebody else was faster and it is theirs by now. */
function discard(path: string, abandoned: Owner): void {
  const aside = `${path}.stale-${process.pid}`;
  try {
    renameSync(path, aside);
  } catch {
    return;
  }
  const taken = read(aside);
  if (taken !== undefined && (taken.pid !== abandoned.pid || taken.started !== abandoned.started)) {
    acquire(aside, path);
  }
  rmSync(aside, { force: true });
}
