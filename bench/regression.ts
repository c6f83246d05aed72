import { setTimeout as sleep } from "node:timers/promises";
import { SetupError } from "../host/exec.ts";
import { printLine } from "../host/progress.ts";
import { type MeasureName, measureNames, measures, titleOf } from "./measures.ts";
import { type BenchOptions, positive } from "./options.ts";
import { measureMemory } from "./peer-measurements.ts";
import { gatewayAt, ours } from "./peers/ours.ts";
import type { Peer } from "./peers/peer.ts";
import type { PinnedProcess } from "./pinned-process.ts";
import { table } from "./results.ts";
import { CONNECTIONS, type Plan, SETTLE_MS, type Stage, withStage } from "./stage.ts";
import { quantile, summaryOf } from "./summary.ts";

// V8 has optimized the hot code by then. The commit with more code takes longer.
const WARM_UP_SECONDS = 10;
// Short, so that both commits get windows in which the machine does nothing else.
const WINDOW_SECONDS = "0.2";
const WINDOWS = "20";

interface Counts {
  /**
   * How often new processes are started for a load: those of the same commit differ by 10 %, depending on what V8
   * compiles and which memory they get.
   */
  readonly batches: number;
  /** Processes of each commit at a time. */
  readonly processes: number;
  /** Windows of load for each process. */
  readonly windows: number;
  /** Starts of each commit. */
  readonly starts: number;
}

/** The quantiles of a process's windows that the table shows. */
const QUANTILES = { "best tenth": 0.1, median: 0.5 };

/** A commit's samples of each measure: one list per process. */
type Samples = Map<MeasureName, number[][]>;

interface Commit {
  readonly peer: Peer;
  readonly samples: Samples;
}

/** Compares this gateway with an earlier commit of it, in short windows that alternate. */
export async function benchRegression(options: BenchOptions): Promise<void> {
  const { before, only, quick = false, write = false } = options;
  if (only !== undefined)
    throw new SetupError(
      `--only ${only}: the regression benchmark measures this gateway only, so leave the option out`,
    );
  if (before === undefined) throw new SetupError("the regression benchmark needs --before COMMIT");
  const windows = positive("rounds", options.rounds ?? (quick ? "2" : WINDOWS));
  const counts: Counts = quick
    ? { windows, batches: 1, processes: 1, starts: 1 }
    : { windows, batches: 3, processes: 2, starts: 20 };
  const seconds = positive("seconds", options.seconds ?? WINDOW_SECONDS);
  const commits = [ours, gatewayAt(before)].map((peer): Commit => ({ peer, samples: new Map() }));
  const descriptions: string[] = [];
  for (const { peer } of commits) descriptions.push(`- ${peer.name}: ${await peer.prepare()}`);
  const plan: Plan = {
    seconds,
    warmUpSeconds: quick ? seconds : WARM_UP_SECONDS,
    settleMs: quick ? seconds * 1000 : SETTLE_MS,
    openStreams: quick ? [200] : [200, 1000],
    disconnects: false,
  };
  await withStage(plan, async (stage) => {
    printLine("starts");
    await measureStarts(commits, counts, stage);
    printLine("memory");
    await measureIdle(commits, counts, stage);
    for (let batch = 1; batch <= counts.batches; batch += 1) {
      printLine(`load ${batch} of ${counts.batches}`);
      await measureLoad(commits, counts, stage);
    }
    const results = [...descriptions, "", ...report(commits, counts, seconds)].join("\n");
    await stage.publish("regression", results, write);
  });
}

async function measureStarts(commits: readonly Commit[], { starts }: Counts, stage: Stage): Promise<void> {
  const times = commits.map((commit) => ({ commit, readyMs: [] as number[], readyCpuMs: [] as number[] }));
  for (let start = 0; start < starts; start += 1)
    for (const { commit, readyMs, readyCpuMs } of times) {
      const running = await commit.peer.start(stage.load.port, stage.folder);
      readyMs.push(running.readyMs);
      readyCpuMs.push(running.cpu() / 1000);
      await running.stop();
    }
  for (const { commit, readyMs, readyCpuMs } of times) {
    add(commit.samples, "readyMs", readyMs);
    add(commit.samples, "readyCpuMs", readyCpuMs);
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

interface LoadedProcess {
  readonly commit: Commit;
  readonly running: PinnedProcess;
  readonly times: Record<"bufferedCpu" | "bufferedTime" | "streamCpu" | "streamTime", number[]>;
}

async function measureLoad(commits: readonly Commit[], counts: Counts, stage: Stage): Promise<void> {
  const all: LoadedProcess[] = [];
  try {
    for (let index = 0; index < counts.processes; index += 1)
      for (const commit of commits) {
        const running = await commit.peer.start(stage.load.port, stage.folder);
        const times = { bufferedCpu: [], bufferedTime: [], streamCpu: [], streamTime: [] };
        all.push({ commit, running, times });
      }
    for (const each of all)
      for (const isStream of [false, true]) await runWindow(each, isStream, stage.plan.warmUpSeconds, stage);
    for (let window = 0; window < counts.windows; window += 1)
      for (const isStream of [false, true])
        for (const each of window % 2 === 0 ? all : all.toReversed()) {
          const { cpu, time } = await runWindow(each, isStream, stage.plan.seconds, stage);
          each.times[isStream ? "streamCpu" : "bufferedCpu"].push(cpu);
          each.times[isStream ? "streamTime" : "bufferedTime"].push(time);
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

/** Loads a process. Returns the processor time and the time per correct response, µs. */
async function runWindow(
  { commit: { peer }, running }: LoadedProcess,
  isStream: boolean,
  seconds: number,
  stage: Stage,
): Promise<{ cpu: number; time: number }> {
  const before = running.cpu();
  const result = await stage.run(peer, peer.request(running.port, "fast", isStream), CONNECTIONS, seconds);
  const cpu = running.cpu() - before;
  return { cpu: cpu / result.responses, time: (result.seconds * 1e6) / result.responses };
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
  const measured = measureNames.filter((name) => commits[0]?.samples.has(name));
  const lines = measured.map((name) => {
    const cells = Object.values(QUANTILES).flatMap((share) => {
      const [now, then] = commits.map(({ samples }) => medianOfQuantiles(samples.get(name) ?? [], share));
      const { digits } = measures[name];
      return [
        now?.toFixed(digits) ?? "",
        then?.toFixed(digits) ?? "",
        ((now ?? NaN) / (then ?? NaN)).toFixed(2),
      ];
    });
    return [titleOf(name), ...cells];
  });
  const head = Object.keys(QUANTILES).flatMap((quantile) => [
    ...names.map((name) => `${name}, ${quantile}`),
    "ratio",
  ]);
  return [
    `Starts: ${starts} of each. Memory: ${batches} processes of each. Load: ${batches * processes} processes of each, ${windows} windows of ${seconds} s for each. All alternating.`,
    "",
    table(["", ...head], lines),
  ];
}

/** The median of the processes' quantiles. */
function medianOfQuantiles(processes: readonly (readonly number[])[], share: number): number {
  return summaryOf(processes.map((values) => quantile(values, share)))?.median ?? NaN;
}
