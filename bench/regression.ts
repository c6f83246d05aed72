import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { SetupError } from "../host/exec.ts";
import { printLine } from "../host/progress.ts";
import { leaveGatewayCore } from "./cores.ts";
import { Load } from "./load-process.ts";
import { measureMemory, type Plan, type Stage } from "./measures.ts";
import { type BenchOptions, positive } from "./options.ts";
import { gatewayAt, ours } from "./peers/ours.ts";
import type { Peer } from "./peers/peer.ts";
import type { PinnedProcess } from "./pinned.ts";
import { publish, table } from "./results.ts";
import { quantile, summaryOf } from "./summary.ts";

const CONNECTIONS = 16;
// Until V8 has optimized what is hot: later for the commit that has more code.
const WARM_UP_SECONDS = 10;
const SETTLE_MS = 2000;
// Short, so that both commits get windows in which the machine does nothing else.
const WINDOW_SECONDS = "0.2";
const WINDOWS = "20";

interface Counts {
  /**
   * How often processes are started for a load: those of the same commit differ by 10 %, with what V8 compiles and which
   * memory they get.
   */
  readonly batches: number;
  /** Processes of each commit at a time. */
  readonly processes: number;
  /** Windows of load for each process. */
  readonly windows: number;
  readonly starts: number;
}

const BEST = 0.1;
const MIDDLE = 0.5;

const measures = {
  wholeCpu: { title: "CPU a whole answer (µs)", digits: 1 },
  whole: { title: "time a whole answer at 16 connections (µs)", digits: 1 },
  streamCpu: { title: "CPU a 64-token stream (µs)", digits: 0 },
  stream: { title: "time a 64-token stream at 16 connections (µs)", digits: 0 },
  ready: { title: "from start to ready (ms)", digits: 0 },
  readyCpu: { title: "CPU from start to ready (ms)", digits: 0 },
  idleMemory: { title: "memory, idle (MiB)", digits: 0 },
  memory200: { title: "memory with 200 open streams (MiB)", digits: 0 },
  memory1000: { title: "memory with 1,000 open streams (MiB)", digits: 0 },
  loadedMemory: { title: "memory after load (MiB)", digits: 0 },
} as const;

type MeasureName = keyof typeof measures;

/** A commit's samples of each measure: one list for each process that was measured. */
type Samples = Map<MeasureName, number[][]>;

interface Commit {
  readonly peer: Peer;
  readonly samples: Samples;
}

/** This gateway beside an earlier commit of it, in short windows that alternate. */
export async function benchRegression(options: BenchOptions): Promise<void> {
  const { before, quick = false, write = false } = options;
  if (before === undefined) throw new SetupError("the regression benchmark needs --before COMMIT");
  const windows = positive("rounds", options.rounds ?? (quick ? "2" : WINDOWS));
  const counts: Counts = quick
    ? { windows, batches: 1, processes: 1, starts: 1 }
    : { windows, batches: 3, processes: 2, starts: 20 };
  const seconds = positive("seconds", options.seconds ?? WINDOW_SECONDS);
  const commits = [ours, gatewayAt(before)].map((peer): Commit => ({ peer, samples: new Map() }));
  const abouts: string[] = [];
  for (const { peer } of commits) abouts.push(`- ${peer.name}: ${await peer.prepare()}`);
  const folder = mkdtempSync(join(tmpdir(), "ollama-stack-bench-"));
  const load = await Load.start();
  leaveGatewayCore();
  const faults: string[] = [];
  const plan: Plan = {
    seconds,
    warmUpSeconds: quick ? seconds : WARM_UP_SECONDS,
    settleMs: quick ? seconds * 1000 : SETTLE_MS,
    openStreams: quick ? [200] : [200, 1000],
    leaving: false,
  };
  const stage: Stage = {
    load,
    folder,
    plan,
    fault: (what, counts) => {
      faults.push(`${what}: ${JSON.stringify(counts)}`);
    },
  };
  try {
    printLine("starts");
    await measureStarts(commits, counts, stage);
    printLine("memory");
    await measureIdle(commits, counts, stage);
    for (let batch = 1; batch <= counts.batches; batch += 1) {
      printLine(`load ${batch} of ${counts.batches}`);
      await measureLoad(commits, counts, stage);
    }
    await publish("regression", [...abouts, "", ...report(commits, counts, seconds)].join("\n"), write);
    if (faults.length > 0) throw new SetupError(`answers were not as they have to be: ${faults.join("; ")}`);
  } finally {
    await load.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function measureStarts(commits: readonly Commit[], { starts }: Counts, stage: Stage): Promise<void> {
  const times = commits.map((commit) => ({ commit, ready: [] as number[], readyCpu: [] as number[] }));
  for (let start = 0; start < starts; start += 1)
    for (const { commit, ready, readyCpu } of times) {
      const running = await commit.peer.start(stage.load.port, stage.folder);
      ready.push(running.readyMs);
      readyCpu.push(running.cpu() / 1000);
      await running.stop();
    }
  for (const { commit, ready, readyCpu } of times) {
    add(commit.samples, "ready", ready);
    add(commit.samples, "readyCpu", readyCpu);
  }
}

async function measureIdle(commits: readonly Commit[], { batches }: Counts, stage: Stage): Promise<void> {
  for (let index = 0; index < batches; index += 1)
    for (const { peer, samples } of commits) {
      const measured = await measureMemory(peer, stage);
      for (const name of ["idleMemory", "memory200", "memory1000"] as const)
        if (measured[name] !== undefined) add(samples, name, [measured[name]]);
    }
}

interface Loaded {
  readonly commit: Commit;
  readonly running: PinnedProcess;
  readonly times: Record<"wholeCpu" | "whole" | "streamCpu" | "stream", number[]>;
}

async function measureLoad(commits: readonly Commit[], counts: Counts, stage: Stage): Promise<void> {
  const all: Loaded[] = [];
  try {
    for (let index = 0; index < counts.processes; index += 1)
      for (const commit of commits) {
        const running = await commit.peer.start(stage.load.port, stage.folder);
        all.push({ commit, running, times: { wholeCpu: [], whole: [], streamCpu: [], stream: [] } });
      }
    for (const each of all)
      for (const stream of [false, true]) await ask(each, stream, stage.plan.warmUpSeconds, stage);
    for (let window = 0; window < counts.windows; window += 1)
      for (const stream of [false, true])
        for (const each of window % 2 === 0 ? all : all.toReversed()) {
          const { cpu, time } = await ask(each, stream, stage.plan.seconds, stage);
          each.times[stream ? "streamCpu" : "wholeCpu"].push(cpu);
          each.times[stream ? "stream" : "whole"].push(time);
        }
    await sleep(stage.plan.settleMs);
    for (const { commit, running, times } of all) {
      for (const [name, values] of Object.entries(times)) add(commit.samples, name as MeasureName, values);
      add(commit.samples, "loadedMemory", [running.memory()]);
    }
  } finally {
    for (const { running } of all) await running.stop();
  }
}

/** Loads a process, and returns what a right answer took of the processor and of the time, µs. */
async function ask(
  { commit: { peer }, running }: Loaded,
  stream: boolean,
  seconds: number,
  { load, fault }: Stage,
): Promise<{ cpu: number; time: number }> {
  const before = running.cpu();
  const result = await load.closed(peer.question(running.port, "fast", stream), CONNECTIONS, seconds);
  const cpu = running.cpu() - before;
  if (Object.keys(result.faults).length > 0) fault(peer.name, result.faults);
  return { cpu: cpu / result.answers, time: (result.seconds * 1e6) / result.answers };
}

function add(samples: Samples, name: MeasureName, values: readonly number[]): void {
  samples.set(name, [...(samples.get(name) ?? []), [...values]]);
}

function report(
  commits: readonly Commit[],
  { batches, processes, windows, starts }: Counts,
  seconds: number,
): string[] {
  const names = commits.map(({ peer }) => peer.name);
  const measured = (Object.keys(measures) as MeasureName[]).filter((name) => commits[0]?.samples.has(name));
  const lines = measured.map((name) => {
    const cells = [BEST, MIDDLE].flatMap((share) => {
      const [now, then] = commits.map(({ samples }) => medianOfQuantiles(samples.get(name) ?? [], share));
      const { digits } = measures[name];
      return [
        now?.toFixed(digits) ?? "",
        then?.toFixed(digits) ?? "",
        ((now ?? NaN) / (then ?? NaN)).toFixed(2),
      ];
    });
    return [measures[name].title, ...cells];
  });
  const head = ["best tenth", "median"].flatMap((share) => [
    ...names.map((name) => `${name}, ${share}`),
    "ratio",
  ]);
  return [
    `Starts: ${starts} of each. Memory: ${batches} processes of each. Load: ${batches * processes} processes of each, ${windows} windows of ${seconds} s for each. All alternating.`,
    "",
    table(["", ...head], lines),
  ];
}

/** Of each process the quantile, and of those the median. */
function medianOfQuantiles(processes: readonly (readonly number[])[], share: number): number {
  return summaryOf(processes.map((values) => quantile(values, share)))?.median ?? NaN;
}
