import { spawn } from "node:child_process";
import { hostname } from "node:os";
import { isRunning, processStatus } from "../../host/process-liveness.mjs";

/** A run of the CLI that failed. */
export class PulumiFailed extends Error {
  override readonly name = "PulumiFailed";
  readonly code: number;
  /** What it said, by its standard output if not by this. */
  readonly stderr: string;
  /** Empty where the terminal was the CLI's. */
  readonly stdout: string;
  /** Whether the user has seen what the CLI said. */
  readonly shown: boolean;
  constructor(code: number, stderr: string, stdout: string, shown: boolean) {
    super(`pulumi exited with code ${String(code)}`);
    this.code = code;
    this.stderr = stderr || stdout;
    this.stdout = stdout;
    this.shown = shown;
  }
}

interface RunOptions {
  readonly env: NodeJS.ProcessEnv;
  /** "show" gives the terminal to the CLI, "read" returns what it writes. */
  readonly output: "show" | "read";
  /** What it reads from its standard input; by default that is this process's. */
  readonly input?: string;
}

/** Runs the CLI. An interrupt reaches it with the rest of the group; it ends the update in good order by itself. */
export function pulumi(args: readonly string[], options: RunOptions): Promise<string> {
  return new Promise((resolve, reject) => {
    const show = options.output === "show";
    const child = spawn("pulumi", args, {
      env: options.env,
      stdio: [options.input === undefined ? "inherit" : "pipe", show ? "inherit" : "pipe", "pipe"],
    });
    // It may end before it has read all of it; its exit code tells.
    child.stdin?.on("error", () => undefined).end(options.input);
    let stdout = "";
    let stderr = "";
    child.stdout?.setEncoding("utf8").on("data", (text: string) => (stdout += text));
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      stderr += text;
      if (show) process.stderr.write(text);
    });
    const wait = () => undefined;
    process.on("SIGINT", wait);
    const terminate = () => child.kill("SIGINT");
    process.once("SIGTERM", terminate);
    child.once("error", reject);
    child.once("close", (code, signal) => {
      process.off("SIGINT", wait);
      process.off("SIGTERM", terminate);
      if (code === 0) resolve(stdout);
      else reject(new PulumiFailed(code ?? (signal === "SIGINT" ? 130 : 1), stderr, stdout, show));
    });
  });
}

export interface Lock {
  readonly user: string;
  readonly host: string;
  readonly pid: number;
}

/** The locks that the CLI names when it refuses to work on a stack: "... created by user@host (pid 123) at ..." */
export function locksIn(stderr: string): Lock[] {
  return [...stderr.matchAll(/created by (\S+)@(\S+) \(pid (\d+)\)/g)].map(
    ([, user = "", host = "", pid = ""]) => ({
      user,
      host,
      pid: Number(pid),
    }),
  );
}

/** Whether a lock was left by a process of this host that is gone, or whose number another process has now. */
export function isStale({ host, pid }: Lock): boolean {
  if (host !== hostname()) return false;
  if (!isRunning(pid)) return true;
  const status = processStatus(pid);
  return status !== undefined && (status.isZombie || !status.name.startsWith("pulumi"));
}
