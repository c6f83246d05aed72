import { setTimeout as sleep } from "node:timers/promises";
import { askEngine } from "../../engine/docker-cli.ts";
import { containerPattern, project, shortStackName } from "../../engine/names.ts";
import { runProcess } from "../../host/run-process.ts";
import { type LogLine, parseLogLine } from "./log-line.ts";

/** A container of a stack, and what it is there: "ollama", "gateway-2", "edge". */
export interface StackContainer {
  readonly name: string;
  readonly component: string;
}

/** The containers of a stack, running or not, on the engine that the environment names. */
export async function stackContainers(stack: string): Promise<StackContainer[]> {
  const filter = ["--filter", `name=${containerPattern(stack)}`];
  const text = await askEngine(["container", "ls", "--all", "--format", "{{.Names}}", ...filter]);
  const prefix = `${project}-${shortStackName(stack)}-`;
  return text
    .split("\n")
    .filter(Boolean)
    .sort()
    .map((name) => ({ name, component: name.slice(prefix.length) }));
}

export interface LogOptions {
  /** How many lines of each container; "all" for all of them. */
  readonly tail: string;
  /** From when on: a time, or a duration such as 10m. */
  readonly since?: string | undefined;
}

/** The last lines of some containers, in the order in which they came. */
export async function readLogs(
  containers: readonly StackContainer[],
  options: LogOptions,
): Promise<LogLine[]> {
  const lists = await Promise.all(
    containers.map(async (container) => {
      const lines: LogLine[] = [];
      await logsOf(container, options, [], (line) => lines.push(line));
      return lines;
    }),
  );
  return inOrder(lists.flat());
}

// Lines of several containers that come within this time are shown in their order.
const mergeMs = 200;
const retryMs = 1000;

/** The same, then what comes, over restarts of the containers, until the signal or the end of the process. */
export async function followLogs(
  containers: readonly StackContainer[],
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
  await Promise.all(
    containers.map(async (container) => {
      let last = "";
      while (signal?.aborted !== true) {
        const from = last === "" ? options : { tail: "all", since: last };
        await logsOf(container, from, ["--follow"], (line) => {
          // What was the last one comes again.
          if (line.at !== "" && line.at <= last) return;
          last = line.at;
          waiting.push(line);
        });
        // It stopped, and may be started again.
        await sleep(retryMs);
      }
    }),
  );
  clearInterval(timer);
  flush();
}

async function logsOf(
  { name, component }: StackContainer,
  { tail, since }: LogOptions,
  more: readonly string[],
  take: (line: LogLine) => void,
): Promise<void> {
  const from = since === undefined ? [] : ["--since", since];
  const rest = { stdout: "", stderr: "" };
  const { code, stderr } = await runProcess(
    "docker",
    ["container", "logs", "--timestamps", "--tail", tail, ...from, ...more, name],
    {
      keepOutput: more.length === 0,
      onOutput: (text, stream) => {
        const lines = (rest[stream] + text).split("\n");
        rest[stream] = lines.pop() ?? "";
        for (const line of lines) take(parseLogLine(component, line));
      },
    },
  );
  if (code !== 0 && more.length === 0) throw new Error(`the log of ${name} cannot be read: ${stderr.trim()}`);
}

function inOrder(lines: readonly LogLine[]): LogLine[] {
  return lines.toSorted((one, other) => (one.at < other.at ? -1 : one.at > other.at ? 1 : 0));
}
