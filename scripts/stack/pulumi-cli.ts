import { hostname } from "node:os";
import { isRunning, processStatus } from "../../host/process-liveness.mjs";
import { runProcess } from "../../host/run-process.ts";

/** The CLI failed. */
export class PulumiFailed extends Error {
  override readonly name = "PulumiFailed";
  readonly code: number;
  /** Its error output. */
  readonly stderr: string;
  /** Its standard output; empty if it was printed to the terminal. */
  readonly stdout: string;
  /** Whether the user has seen the CLI's output. */
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
  /** "show" prints the CLI's output, "read" returns it. */
  readonly output: "show" | "read";
  /** Its standard input; by default this process's. */
  readonly input?: string;
}

/** Variable with a config file for the CLI to use instead of the stack's, for a read-only checkout. */
export const configFileVariable = "OLLAMA_STACK_CONFIG_FILE";
const readingConfig: ReadonlySet<string | undefined> = new Set(["up", "preview", "refresh", "destroy"]);

/** Adds the config file from the environment to the arguments. */
export function withConfigFile(args: readonly string[], env: NodeJS.ProcessEnv): readonly string[] {
  const file = env[configFileVariable];
  const isGiven = args.some((arg) => arg === "--config-file" || arg.startsWith("--config-file="));
  return file === undefined || isGiven || !readingConfig.has(args[0])
    ? args
    : [...args, "--config-file", file];
}

/** Runs the CLI. An interrupt reaches it as part of the process group; it then cancels the update gracefully. */
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

interface Lock {
  readonly user: string;
  readonly host: string;
  readonly pid: number;
}

/** Parses the locks in the CLI's error about a locked stack: "... created by user@host (pid 123) at ..." */
export function locksIn(stderr: string): Lock[] {
  return [...stderr.matchAll(/created by (\S+)@(\S+) \(pid (\d+)\)/g)].map(
    ([, user = "", host = "", pid = ""]) => ({
      user,
      host,
      pid: Number(pid),
    }),
  );
}

/** Whether a lock belongs to a process of this host that has exited, or whose id was reused. */
export function isStale({ host, pid }: Lock): boolean {
  if (host !== hostname()) return false;
  if (!isRunning(pid)) return true;
  const status = processStatus(pid);
  return status !== undefined && (status.isZombie || !status.name.startsWith("pulumi"));
}
