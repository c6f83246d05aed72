import { type ChildProcess, spawn } from "node:child_process";

export interface ProcessOptions {
  readonly cwd?: string | undefined;
  readonly env?: NodeJS.ProcessEnv;
  /** What it reads from its standard input; or where that comes from, nowhere by default. */
  readonly input?: string | undefined;
  readonly stdin?: "inherit" | "ignore";
  /** "inherit" gives this process's standard output to it. */
  readonly stdout?: "inherit" | "pipe";
  /** Is given what it writes, as it comes. */
  readonly onOutput?: (text: string, stream: "stdout" | "stderr") => void;
  /** Whether what it writes is returned at its end, too, as it is by default. */
  readonly keepOutput?: boolean;
  /** Milliseconds after which it is killed. */
  readonly timeoutMs?: number | undefined;
  /** Ends it when aborted. */
  readonly signal?: AbortSignal | undefined;
  /** Is given the process as soon as it runs. */
  readonly onStart?: (child: ChildProcess) => void;
}

export interface ProcessEnd {
  /** null if a signal ended it. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly timedOut: boolean;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Runs a program without a shell and waits for its end, whatever that is.
 *
 * @throws the error of a program that cannot be started
 */
export function runProcess(
  command: string,
  args: readonly string[],
  {
    cwd,
    env,
    input,
    stdin = "ignore",
    stdout = "pipe",
    onOutput,
    keepOutput = true,
    timeoutMs,
    signal,
    onStart,
  }: ProcessOptions = {},
): Promise<ProcessEnd> {
  return new Promise((resolve, reject) => {
    const stdio = [input === undefined ? stdin : "pipe", stdout, "pipe"] as const;
    const child = spawn(command, args, { cwd, env, signal, stdio: [...stdio], windowsHide: true });
    const output = { stdout: "", stderr: "" };
    const end = (code: number | null, killedBy: NodeJS.Signals | null, timedOut = false) => {
      clearTimeout(timer);
      resolve({ code, signal: killedBy, timedOut, ...output });
    };
    const giveUp = () => {
      child.kill("SIGKILL");
      // Not waiting for its output to be closed: something that it started may hold that.
      end(null, "SIGKILL", true);
    };
    const timer = timeoutMs === undefined ? undefined : setTimeout(giveUp, timeoutMs);
    // It may end before it has read all of it; its exit code says why.
    child.stdin?.on("error", () => undefined).end(input);
    for (const name of ["stdout", "stderr"] as const)
      child[name]?.setEncoding("utf8").on("data", (text: string) => {
        if (keepOutput) output[name] += text;
        onOutput?.(text, name);
      });
    child.once("error", (error) => {
      clearTimeout(timer);
      reject(error);
    });
    child.once("close", end);
    if (child.pid !== undefined) onStart?.(child);
  });
}
