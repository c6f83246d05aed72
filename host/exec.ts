import { createWriteStream, mkdirSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { cacheRoot } from "./cache-dir.mjs";
import type { Report } from "./progress.ts";
import { runProcess } from "./run-process.ts";

/** An error that the user can fix, with the remedy in its message. */
export class SetupError extends Error {
  override readonly name = "SetupError";
}

interface RunOptions {
  /** Description of the step, for error messages and the log's name. */
  readonly what: string;
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly report?: Report | undefined;
  readonly timeoutMs?: number;
  /** Kills the tool when aborted. */
  readonly signal?: AbortSignal | undefined;
}

const keptLines = 8;

/** Runs a tool and returns its standard output. Its output goes to a log; an error includes its last lines. */
export async function runTool(
  command: string,
  args: readonly string[],
  options: RunOptions,
): Promise<string> {
  const logs = join(cacheRoot(), "logs");
  mkdirSync(logs, { recursive: true });
  const log = join(logs, `${options.what.replaceAll(/[^A-Za-z0-9.]+/g, "-")}.log`);
  const file = createWriteStream(log);
  // Failing to write the log is not fatal; a full disk will also fail the tool.
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

/** Explains what failed and how to fix it in one line, followed by the end of the log. Exported for its test. */
export function explainFailure(what: string, status: string, lines: readonly string[], log: string): string {
  const output = lines.join("\n");
  const reason = /no space left on device|ENOSPC/i.test(output)
    ? `the disk is full: free some space in ${cacheRoot()} and run it again`
    : /dial tcp|no such host|Temporary failure|ENOTFOUND|Could not resolve|Connection refused|i\/o timeout|fetch failed/i.test(
          output,
        )
      ? "the network does not respond: check the connection, or set the tool's proxy or mirror, and run it again"
      : `${status}; the complete log is in ${log}`;
  return [`${what} failed: ${reason}`, ...lines.map((line) => `  | ${line}`)].join("\n");
}

/** Runs a tool that may fail; returns its output, or undefined on failure or after a timeout of 15 s by default. */
export async function tryRun(
  command: string,
  args: readonly string[],
  options: { readonly timeoutMs?: number; readonly env?: Readonly<Record<string, string>> } = {},
): Promise<string | undefined> {
  const { timeoutMs = 15_000 } = options;
  const env = { ...process.env, ...options.env };
  const end = await runProcess(command, args, { env, timeoutMs }).catch(() => undefined);
  return end?.code === 0 ? end.stdout.trim() : undefined;
}
