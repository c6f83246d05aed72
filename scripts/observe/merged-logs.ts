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
  /** Whether the command failed because there is no log yet, or not any more. */
  readonly isEmpty: (errors: string) => boolean;
}

export interface LogOptions {
  /** Number of lines of each log; "all" for all of them. */
  readonly tail: string;
  /** Start: a time, or a duration such as 10m. */
  readonly since?: string | undefined;
}

/** The last lines of several logs, merged by time. @throws if one cannot be read */
export async function readLogs(sources: readonly LogSource[], options: LogOptions): Promise<LogLine[]> {
  const lists = await Promise.all(
    sources.map(async (source) => {
      const lines: LogLine[] = [];
      const { code, errors } = await runLog(source, options, (line) => lines.push(line));
      if (code !== 0 && !source.isEmpty(errors))
        throw new Error(`the log of ${source.name} cannot be read: ${errors}`);
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
 * @throws if a log cannot be read at first, or if the logs cannot be listed
 */
export async function followLogs(
  list: () => Promise<readonly LogSource[]>,
  options: LogOptions,
  show: (line: LogLine) => void,
  signal?: AbortSignal,
): Promise<void> {
  const last = new Map<string, string>();
  let waiting: LogLine[] = [];
  const flush = () => {
    for (const line of inOrder(waiting)) show(line);
    waiting = [];
  };
  const take = (line: LogLine) => {
    if (line.at > (last.get(line.component) ?? "")) last.set(line.component, line.at);
    waiting.push(line);
  };
  let sources = await list();
  const known = new Set(sources.map(({ component }) => component));
  for (const line of await readLogs(sources, options)) take(line);
  flush();

  const followed = new Map<string, Promise<void>>();
  const stop = new AbortController();
  const follow = async (source: LogSource) => {
    const since = last.get(source.component);
    const from = since === undefined && known.has(source.component) ? options : { tail: "all", since };
    const takeNew = (line: LogLine) => {
      // A restarted command repeats the last line. Within one run, older lines may follow newer ones, because standard
      // output and standard error arrive through two pipes.
      if (since === undefined || line.at === "" || line.at > since) take(line);
    };
    try {
      await runLog(source, from, takeNew, stop.signal);
    } catch (error) {
      stop.abort(error);
    }
    // It stopped, and may be restarted.
    followed.delete(source.component);
  };
  const timer = setInterval(flush, mergeMs);
  try {
    while (signal?.aborted !== true) {
      for (const source of sources)
        if (!followed.has(source.component)) followed.set(source.component, follow(source));
      await sleep(retryMs);
      stop.signal.throwIfAborted();
      sources = await list();
    }
  } finally {
    stop.abort();
    await Promise.all(followed.values());
    clearInterval(timer);
    flush();
  }
}

/**
 * Runs the command that prints a log.
 *
 * @param followUntil follows the log until this signal
 * @returns its exit code and error message
 */
async function runLog(
  source: LogSource,
  options: LogOptions,
  take: (line: LogLine) => void,
  followUntil?: AbortSignal,
): Promise<{ readonly code: number | null; readonly errors: string }> {
  const rest = { stdout: "", stderr: "" };
  const errors: string[] = [];
  const receive = (text: string, stream: "stdout" | "stderr") => {
    const line = parseLogLine(source.component, text);
    // The log's lines have timestamps, the command's own messages have not.
    if (stream === "stderr" && line.at === "") errors.push(text);
    else take(line);
  };
  const [program, args] = source.command(options, followUntil !== undefined);
  const { code } = await runProcess(program, args, {
    keepOutput: false,
    signal: followUntil,
    onOutput: (text, stream) => {
      const lines = (rest[stream] + text).split("\n");
      rest[stream] = lines.pop() ?? "";
      for (const line of lines) receive(line, stream);
    },
  });
  // After a broken connection, the next run repeats the cut line.
  if (code === 0 || followUntil === undefined)
    for (const stream of ["stdout", "stderr"] as const)
      if (rest[stream] !== "") receive(rest[stream], stream);
  return { code, errors: errors.join("\n").trim() };
}

function inOrder(lines: readonly LogLine[]): LogLine[] {
  return lines.toSorted((one, other) => (one.at < other.at ? -1 : one.at > other.at ? 1 : 0));
}
