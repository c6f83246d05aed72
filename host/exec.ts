import { createWriteStream, mkdirSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { cacheRoot } from "./cache-dir.mjs";
import type { Report } from "./progress.ts";
import { runProcess } from "./run-process.ts";

/** Something the user can mend; its message says how. */
export class SetupError extends Error {
  override readonly name = "SetupError";
}

export interface RunOptions {
  /** What is being done, for the error message and the name of the log. */
  readonly what: string;
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly report?: Report;
  /** Given up after so long. */
  readonly timeoutMs?: number;
  /** Ends it when aborted. */
  readonly signal?: AbortSignal;
}

const keptLines = 8;

/** Runs a tool and returns its standard output. All it says goes to a log, of which a failure shows the end. */
export async function runTool(
  command: string,
  args: readonly string[],
  options: RunOptions,
): Promise<string> {
  const logs = join(cacheRoot(), "logs");
  mkdirSync(logs, { recursive: true });
  const log = join(logs, `${options.what.replaceAll(/[^A-Za-z0-9.]+/g, "-")}.log`);
  const file = createWriteStream(log);
  // A log that cannot be written is no reason to fail: what fails for the same reason says so.
  file.on("error", () => undefined);
  file.write(`$ ${[command, ...args].join(" ")}\n`);

  const lines: string[] = [];
  const takeLine = (line: string) => {
    file.write(`${line}\n`);
    options.report?.(line);
    if (line.trim() !== "" && lines.push(line) > keptLines) lines.shift();
  };
  let stop = () => undefined as unknown;
  try {
    const { code, signal, stdout } = await runProcess(command, args, {
      cwd: options.cwd,
      env: { ...process.env, ...options.env },
      timeoutMs: options.timeoutMs,
      signal: options.signal,
      onStart: (child) => {
        stop = () => child.kill("SIGTERM");
        process.once("exit", stop);
        for (const input of [child.stdout, child.stderr])
          if (input !== null) createInterface({ input }).on("line", takeLine);
      },
    });
    if (code === 0) return stdout;
    throw new Error(signal ?? `exit code ${String(code)}`);
  } catch (error) {
    const status = error instanceof Error ? error.message : String(error);
    throw new SetupError(explainFailure(options.what, status, lines, log));
  } finally {
    process.off("exit", stop);
    await new Promise((resolve) => file.end(resolve));
  }
}

/** One line that says what failed and how to mend it, then the end of the log. Exported for its test. */
export function explainFailure(what: string, status: string, lines: readonly string[], log: string): string {
  const said = lines.join("\n");
  const mend = /no space left on device|ENOSPC/i.test(said)
    ? `the disk is full: free some space below ${cacheRoot()} and run it again`
    : /dial tcp|no such host|Temporary failure|ENOTFOUND|Could not resolve|Connection refused|i\/o timeout|fetch failed/i.test(
          said,
        )
      ? "the network does not respond: connect, or set the tool's proxy or mirror, and run it again"
      : `${status}; the whole log is in ${log}`;
  return [`${what} failed: ${mend}`, ...lines.map((line) => `  | ${line}`)].join("\n");
}

/** The tool's output, or undefined when it fails: for questions that may be answered with no. */
export async function ask(
  command: string,
  args: readonly string[],
  options: { readonly timeoutMs?: number; readonly env?: Readonly<Record<string, string>> } = {},
): Promise<string | undefined> {
  const { timeoutMs = 15_000 } = options;
  const env = { ...process.env, ...options.env };
  const end = await runProcess(command, args, { env, timeoutMs }).catch(() => undefined);
  return end?.code === 0 ? end.stdout.trim() : undefined;
}
