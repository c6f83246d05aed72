import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { queryEngine, docker } from "../engine/docker-cli.ts";

/** The state of a container that must not change. */
export interface Snapshot {
  readonly id: string;
  readonly running: boolean;
  readonly restarts: number;
  readonly startedAt: string;
  /** Process ids of its model runners, sorted. */
  readonly runners: readonly number[];
}

export interface ContainerSummary {
  readonly name: string;
  readonly restarts: number;
  /** Processes killed for lack of memory. */
  readonly outOfMemory: number;
  /** How often the engine reported it as unhealthy. */
  readonly unhealthy: number;
  /** Undefined where this machine cannot read it. */
  readonly peakMiB: number | undefined;
  readonly limitMiB: number;
}

/** Describes the differences between two snapshots of a container. */
export function differences(name: string, before: Snapshot, after: Snapshot | undefined): string[] {
  if (after === undefined) return [`${name} is gone`];
  const found: string[] = [];
  if (before.id !== after.id) found.push(`${name} was replaced`);
  else if (!after.running) found.push(`${name} does not run`);
  else if (before.restarts !== after.restarts || before.startedAt !== after.startedAt)
    found.push(`${name} restarted`);
  const [was, is] = [before.runners.join(", "), after.runners.join(", ")];
  if (found.length === 0 && was !== is)
    found.push(`the model runners of ${name} were ${was || "none"} and are ${is || "none"}`);
  return found;
}

const eventDescriptions: Readonly<Record<string, string>> = {
  start: "started again",
  die: "died",
  oom: "lost a process for lack of memory",
};

interface Counts {
  restarts: number;
  outOfMemory: number;
  unhealthy: number;
}

/** Watches containers: their events all the time, and their state on request. */
export class Watch {
  readonly #names: readonly string[];
  readonly #counts: ReadonlyMap<string, Counts>;
  readonly #events: ChildProcess;
  #eventMessages: string[] = [];
  #before = new Map<string, Snapshot>();
  #ignored = new Set<string>();

  private constructor(names: readonly string[]) {
    this.#names = names;
    this.#counts = new Map(names.map((name) => [name, { restarts: 0, outOfMemory: 0, unhealthy: 0 }]));
    const filters = names.flatMap((name) => ["--filter", `container=${name}`]);
    const kinds = ["oom", "die", "start", "health_status"].flatMap((kind) => ["--filter", `event=${kind}`]);
    const format = ["--format", "{{.Actor.Attributes.name}} {{.Action}}"];
    this.#events = spawn("docker", ["events", ...filters, ...kinds, ...format], {
      stdio: ["ignore", "pipe", "ignore"],
    });
    if (this.#events.stdout !== null)
      createInterface({ input: this.#events.stdout }).on("line", (line) => {
        this.#note(line);
      });
  }

  static async start(names: readonly string[]): Promise<Watch> {
    const watch = new Watch(names);
    watch.#before = await snapshots(names);
    return watch;
  }

  /** Describes the changes since the last call. */
  async changes(): Promise<string[]> {
    const now = await snapshots(this.#names);
    const found = [...this.#before]
      .filter(([name]) => !this.#ignored.has(name))
      .flatMap(([name, before]) => differences(name, before, now.get(name)));
    const all = [...new Set([...this.#eventMessages, ...found])];
    this.#eventMessages = [];
    this.#before = now;
    return all;
  }

  /** Ignores changes of the named containers while `work` runs. */
  async ignoring<T>(names: readonly string[], work: () => Promise<T>): Promise<T> {
    this.#ignored = new Set(names);
    try {
      return await work();
    } finally {
      const now = await snapshots(this.#names);
      for (const name of names) {
        const snapshot = now.get(name);
        if (snapshot !== undefined) this.#before.set(name, snapshot);
      }
      this.#ignored = new Set();
    }
  }

  async summary(): Promise<ContainerSummary[]> {
    const format = "{{.State.Pid}} {{.HostConfig.Memory}}";
    const text = await docker(["container", "inspect", "--format", format, ...this.#names]);
    const lines = text.trim().split("\n");
    return this.#names.map((name, index) => {
      const [pid = 0, memory = 0] = (lines[index] ?? "").split(" ").map(Number);
      const counts = this.#counts.get(name) ?? { restarts: 0, outOfMemory: 0, unhealthy: 0 };
      return { name, ...counts, peakMiB: peakOf(pid), limitMiB: mib(memory) };
    });
  }

  stop(): void {
    this.#events.kill();
  }

  #note(line: string): void {
    const [name = "", action = ""] = line.split(/ (.*)/);
    const counts = this.#counts.get(name);
    if (counts === undefined || this.#ignored.has(name)) return;
    if (action === "start") counts.restarts += 1;
    else if (action === "oom") counts.outOfMemory += 1;
    // Not a failure by itself, because health checks time out on a busy machine.
    else if (action.includes("unhealthy")) counts.unhealthy += 1;
    const description = eventDescriptions[action];
    if (description !== undefined) this.#eventMessages.push(`${name} ${description}`);
  }
}

async function snapshots(names: readonly string[]): Promise<Map<string, Snapshot>> {
  const found = await Promise.all(names.map(async (name) => [name, await snapshotOf(name)] as const));
  return new Map(found.flatMap(([name, snapshot]) => (snapshot === undefined ? [] : [[name, snapshot]])));
}

async function snapshotOf(name: string): Promise<Snapshot | undefined> {
  const format = "{{.Id}}\n{{json .State}}\n{{.RestartCount}}";
  let text: string;
  try {
    text = await queryEngine(["container", "inspect", "--format", format, name]);
  } catch {
    return undefined;
  }
  const [id = "", json = "{}", restarts] = text.trim().split("\n");
  const state = JSON.parse(json) as { Running: boolean; StartedAt: string };
  const runners = /-ollama(-\d+)?$/.test(name) && state.Running ? await runnersOf(name) : [];
  return {
    id,
    running: state.Running,
    restarts: Number(restarts),
    startedAt: state.StartedAt,
    runners,
  };
}

/** Process ids of the model runners; Ollama runs each loaded model in a process `ollama runner`. */
export async function runnersOf(container: string): Promise<number[]> {
  const text = await queryEngine(["container", "top", container, "-eo", "pid,args"]).catch(() => "");
  return text
    .split("\n")
    .filter((line) => / runner( |$)/.test(line))
    .map((line) => Number.parseInt(line, 10))
    .sort((one, other) => one - other);
}

/** Peak memory of a container, in MiB, from cgroup v1 or v2. */
function peakOf(pid: number): number | undefined {
  try {
    const groups = readFileSync(`/proc/${pid}/cgroup`, "utf8");
    const v1 = /^\d+:(?:[\w,]*,)?memory(?:,[\w,]*)?:(.*)$/m.exec(groups)?.[1];
    const v2 = /^0::(.*)$/m.exec(groups)?.[1] ?? "";
    const file =
      v1 === undefined
        ? `/sys/fs/cgroup${v2}/memory.peak`
        : `/sys/fs/cgroup/memory${v1}/memory.max_usage_in_bytes`;
    return mib(Number(readFileSync(file, "utf8")));
  } catch {
    return undefined;
  }
}

function mib(bytes: number): number {
  return Math.round(bytes / 1024 ** 2);
}
