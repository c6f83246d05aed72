import { hostname } from "node:os";
import { isRunning, processStatus } from "../../host/process-liveness.mjs";
import { runProcess } from "../../host/run-process.ts";

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

/** Names the file of settings that commands of the CLI take instead of the stack's, where the checkout is read-only. */
export const configFileVariable = "OLLAMA_STACK_CONFIG_FILE";
const readingConfig: ReadonlySet<string | undefined> = new Set(["up", "preview", "refresh", "destroy"]);

/** The arguments, with the file of settings that the environment names. */
export function withConfigFile(args: readonly string[], env: NodeJS.ProcessEnv): readonly string[] {
  const file = env[configFileVariable];
  const isGiven = args.some((arg) => arg === "--config-file" || arg.startsWith("--config-file="));
  return file === undefined || isGiven || !readingConfig.has(args[0])
    ? args
    : [...args, "--config-file", file];
}

/** Runs the CLI. An interrupt reaches it with the rest of the group; it ends the update in good order by itself. */
export async function pulumi(args: readonly string[], { env, output, input }: RunOptions): Promise<string> {
  const show = output === "show";
  const wait = () => undefined;
  let terminate = wait;
  process.on("SIGINT", wait);
  try {
    const { code, signal, stdout, stderr } = await runProcess("pulumi", withConfigFile(args, env), {
      env,
      input,
      stdin: "inherit",
      stdout: show ? "inherit" : "pipe",
      onOutput: (text, stream) => {
        if (show && stream === "stderr") process.stderr.write(text);
      },
      onStart: (child) => {
        terminate = () => void child.kill("SIGINT");
        process.once("SIGTERM", terminate);
      },
    });
    if (code === 0) return stdout;
    throw new PulumiFailed(code ?? (signal === "SIGINT" ? 130 : 1), stderr, stdout, show);
  } finally {
    process.off("SIGINT", wait);
    process.off("SIGTERM", terminate);
  }
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
