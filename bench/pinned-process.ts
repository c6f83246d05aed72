import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, readdirSync } from "node:fs";
import { request } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { GATEWAY_CORE } from "./cores.ts";

const NANOSECONDS_PER_MICROSECOND = 1000;
const MIB = 1024 * 1024;

// LiteLLM needs half a minute on a slow core.
const READY_WITHIN_MS = 120_000;
const STOP_WITHIN_MS = 10_000;

/** How to start a program and check its readiness. */
export interface Program {
  readonly command: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly port: number;
  /** Returns 200 once the program is ready. */
  readonly readyPath: string;
  /** The file descriptor for its output. */
  readonly output: number;
}

/** A program under test, alone on its core. */
export class PinnedProcess {
  readonly port: number;
  /** From the start until the program was ready, ms. */
  readonly readyMs: number;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, port: number, readyMs: number) {
    this.#child = child;
    this.port = port;
    this.readyMs = readyMs;
  }

  static async start(program: Program): Promise<PinnedProcess> {
    const began = performance.now();
    const child = spawn("taskset", ["-c", GATEWAY_CORE, ...program.command], {
      cwd: program.cwd,
      env: { PATH: process.env["PATH"], ...program.env },
      stdio: ["ignore", program.output, program.output],
    });
    const kill = () => child.kill("SIGKILL");
    process.once("exit", kill);
    child.once("exit", () => process.off("exit", kill));
    while ((await statusOf(program.port, program.readyPath)) !== 200) {
      if (child.exitCode !== null) throw new Error(`${program.command.join(" ")} ended before it was ready`);
      if (performance.now() - began > READY_WITHIN_MS)
        throw new Error(`${program.command.join(" ")} is not ready`);
      await sleep(2);
    }
    return new PinnedProcess(child, program.port, performance.now() - began);
  }

  /** Processor time of all threads of all its processes, µs; /proc/PID/stat would have it in steps of 10 ms. */
  cpu(): number {
    return this.#sum((pid) => {
      const times = readdirSync(`/proc/${pid}/task`).map((thread) => threadTime(pid, thread));
      return times.reduce((total, time) => total + time, 0) / NANOSECONDS_PER_MICROSECOND;
    });
  }

  /** Resident memory of all its processes, MiB. */
  memory(): number {
    return this.#sum((pid) => {
      const [, kib] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
      return (Number(kib ?? 0) * 1024) / MIB;
    });
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null) return;
    const exit = once(this.#child, "exit");
    this.#child.kill("SIGTERM");
    const killTimer = setTimeout(() => this.#child.kill("SIGKILL"), STOP_WITHIN_MS);
    await exit;
    clearTimeout(killTimer);
  }

  #sum(valueOf: (pid: number) => number): number {
    return processTree(this.#child.pid ?? 0).reduce((total, pid) => total + valueOf(pid), 0);
  }
}

/** Processor time of a thread, ns; 0 once it has ended. */
function threadTime(pid: number, thread: string): number {
  try {
    return Number.parseInt(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "utf8"));
  } catch {
    return 0;
  }
}

/** The fields of /proc/PID/stat from the third on; the second is the command's name, which may contain any character. */
function statOf(pid: number): string[] {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
}

/** A process and its descendants. */
function processTree(root: number): number[] {
  const children = new Map<number, number[]>();
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const parent = Number(statOf(Number(name))[1]);
      children.set(parent, [...(children.get(parent) ?? []), Number(name)]);
    } catch {
      // The process has ended meanwhile.
    }
  }
  const all = [root];
  for (const pid of all) all.push(...(children.get(pid) ?? []));
  return all;
}

/** Requests a path. Returns the status, or undefined without a response. */
export function statusOf(port: number, path: string): Promise<number | undefined> {
  return new Promise((resolve) => {
    const call = request({ host: "127.0.0.1", port, path, agent: false }, (response) => {
      response.resume().once("end", () => {
        resolve(response.statusCode);
      });
    });
    call.once("error", () => {
      resolve(undefined);
    });
    call.end();
  });
}
