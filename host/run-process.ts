import { type ChildProcess, spawn } from "node:child_process";

export interface ProcessOptions {
  readonly cwd?: string | undefined;
  readonly env?: NodeJS.ProcessEnv;
  /** Content of standard input; otherwise `stdin` decides, with nothing to read by default. */
  readonly input?: string | undefined;
  readonly stdin?: "inherit" | "ignore";
  /** "inherit" passes this process's standard output on. */
  readonly stdout?: "inherit" | "pipe";
  /** Receives the output as it arrives. */
  readonly onOutput?: (text: string, stream: "stdout" | "stderr") => void;
  /** Whether to return the output at the end; true by default. */
  readonly keepOutput?: boolean;
  /** Milliseconds after which it is killed. */
  readonly timeoutMs?: number | undefined;
  /** Kills it when aborted. */
  readonly signal?: AbortSignal | undefined;
  /** Called with the process as soon as it runs. */
  readonly onStart?: (child: ChildProcess) => void;
}

export interface ProcessEnd {
  /** null if it was killed by a signal. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly timedOut: boolean;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Runs a program without a shell and waits until it exits, successfully or not.
 *
 * @throws if the program cannot be started
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
    const timeOut = () => {
      child.kill("SIGKILL");
      // Does not wait for its output to close, because a child process may keep it open.
      end(null, "SIGKILL", true);
    };
    const timer = timeoutMs === undefined ? undefined : setTimeout(timeOut, timeoutMs);
    // It may exit before it has read all input; the exit code has the reason.
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
