import { setTimeout as sleep } from "node:timers/promises";
import { runProcess } from "../../host/run-process.ts";
import { type LogLine, parseLogLine } from "./log-line.ts";

/** A log of a stack's component. */
export interface LogSource {
  readonly name: string;
  /** The component: "ollama", "gateway-2", "edge". */
  readonly component: string;
  /** The command that prints the log with timestamps. */
  readonly command: (options: LogOptions, follow: boolean) => readonly [string, readonly string[]];
  /** The output stream with the log's lines. */
  readonly streams: readonly ("stdout" | "stderr")[];
  /** Whether the command failed because there is no log yet, or not any more. */
  readonly isEmpty: (stderr: string) => boolean;
}

export interface LogOptions {
  /** Number of lines of each log; "all" for all of them. */
  readonly tail: string;
  /** Start: a time, or a duration such as 10m. */
  readonly since?: string | undefined;
}

/** The last lines of several logs, merged by time. */
export async function readLogs(sources: readonly LogSource[], options: LogOptions): Promise<LogLine[]> {
  const lists = await Promise.all(
    sources.map(async (source) => {
      const lines: LogLine[] = [];
      await logOf(source, options, false, (line) => lines.push(line));
      return lines;
    }),
  );
  return inOrder(lists.flat());
}

// Lines of several logs that arrive within this time are sorted.
const mergeMs = 200;
const retryMs = 1000;

/**
 * The same, then follows the logs across restarts, until the signal or the end of the process.
 *
 * @param list called repeatedly; the options apply to the logs that it lists first, later ones are shown from their start
 */
export async function followLogs(
  list: () => Promise<readonly LogSource[]>,
  options: LogOptions,
  show: (line: LogLine) => void,
  signal?: AbortSignal,
): Promise<void> {
  let waiting: LogLine[] = [];
  const flush = () => {
    for (const line of inOrder(waiting)) show(line);
    waiting = [];
  };
  const timer = setInterval(flush, mergeMs);
  const last = new Map<string, string>();
  const followed = new Map<string, Promise<void>>();
  let known: ReadonlySet<string> | undefined;
  while (signal?.aborted !== true) {
    const sources = await list();
    known ??= new Set(sources.map(({ name }) => name));
    for (const source of sources) {
      const { name } = source;
      if (followed.has(name)) continue;
      const since = last.get(name);
      const from = since === undefined && known.has(name) ? options : { tail: "all", since };
      const end = logOf(source, from, true, (line) => {
        // A restarted command repeats the last line. Within one run, older lines may follow newer ones, because standard
        // output and standard error arrive through two pipes.
        if (since !== undefined && line.at !== "" && line.at <= since) return;
        if (line.at > (last.get(name) ?? "")) last.set(name, line.at);
        waiting.push(line);
      });
      // It stopped, and may be restarted.
      followed.set(
        name,
        end.finally(() => followed.delete(name)),
      );
    }
    await sleep(retryMs);
  }
  await Promise.all(followed.values());
  clearInterval(timer);
  flush();
}

async function logOf(
  source: LogSource,
  options: LogOptions,
  follow: boolean,
  take: (line: LogLine) => void,
): Promise<void> {
  const rest = { stdout: "", stderr: "" };
  const [program, args] = source.command(options, follow);
  const { code, stderr } = await runProcess(program, args, {
    keepOutput: !follow,
    onOutput: (text, stream) => {
      if (!source.streams.includes(stream)) return;
      const lines = (rest[stream] + text).split("\n");
      rest[stream] = lines.pop() ?? "";
      for (const line of lines) take(parseLogLine(source.component, line));
    },
  });
  if (code !== 0 && !follow && !source.isEmpty(stderr))
    throw new Error(`the log of ${source.name} cannot be read: ${stderr.trim()}`);
}

function inOrder(lines: readonly LogLine[]): LogLine[] {
  return lines.toSorted((one, other) => (one.at < other.at ? -1 : one.at > other.at ? 1 : 0));
}
