import { setTimeout as sleep } from "node:timers/promises";
import { runProcess } from "../../host/run-process.ts";
import { type LogLine, parseLogLine } from "./log-line.ts";

/** Something of a stack that has a log. */
export interface LogSource {
  readonly name: string;
  /** What it is in the stack: "ollama", "gateway-2", "edge". */
  readonly component: string;
  /** The program that prints its log, each line with its time, and that program's arguments. */
  readonly command: (options: LogOptions, follow: boolean) => readonly [string, readonly string[]];
  /** Where the lines of the log are in its output. */
  readonly streams: readonly ("stdout" | "stderr")[];
  /** Whether that program failed because there is no log yet, or no more. */
  readonly isEmpty: (stderr: string) => boolean;
}

export interface LogOptions {
  /** How many lines of each; "all" for all of them. */
  readonly tail: string;
  /** From when on: a time, or a duration such as 10m. */
  readonly since?: string | undefined;
}

/** The last lines of some logs, in the order in which they came. */
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

// Lines of several logs that come within this time are shown in their order.
const mergeMs = 200;
const retryMs = 1000;

/**
 * The same, then what comes, over restarts, until the signal or the end of the process.
 *
 * @param list is called again and again; what it lists first has the options, what is new later is shown from its start
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
        // What was the last one comes again.
        if (line.at !== "" && line.at <= (last.get(name) ?? "")) return;
        last.set(name, line.at);
        waiting.push(line);
      });
      // It stopped, and may be started again.
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
