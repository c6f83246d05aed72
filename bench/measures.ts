export interface Measure {
  readonly title: string;
  readonly unit: string;
  readonly digits: number;
}

/** All measures of the benchmarks "gateway" and "regression", in the order of their tables. */
export const measures = {
  bufferedMs: { title: "buffered response, p50 at 1 connection", unit: "ms", digits: 3 },
  firstMs: { title: "first token of a stream, p50 at 1 connection", unit: "ms", digits: 3 },
  addedBufferedMs: { title: "added to a buffered response, p50 at 1 connection", unit: "ms", digits: 3 },
  addedFirstMs: { title: "added to the first token, p50 at 1 connection", unit: "ms", digits: 3 },
  bufferedRate: { title: "buffered responses per second at 16 connections", unit: "1/s", digits: 0 },
  streamRate: { title: "64-token streams per second at 16 connections", unit: "1/s", digits: 0 },
  bufferedCpu: { title: "CPU per buffered response", unit: "µs", digits: 1 },
  bufferedTime: { title: "time per buffered response at 16 connections", unit: "µs", digits: 1 },
  streamCpu: { title: "CPU per 64-token stream", unit: "µs", digits: 0 },
  streamTime: { title: "time per 64-token stream at 16 connections", unit: "µs", digits: 0 },
  pacedCpu: { title: "CPU per 64-token stream at 5 ms per token", unit: "µs", digits: 0 },
  gapP50: { title: "gap between tokens sent every 5 ms, p50", unit: "ms", digits: 3 },
  gapP99: { title: "gap between tokens sent every 5 ms, p99", unit: "ms", digits: 3 },
  addedGapP99: { title: "added to the p99 of that gap", unit: "ms", digits: 3 },
  idleMemory: { title: "memory, idle", unit: "MiB", digits: 0 },
  memory200: { title: "memory with 200 open streams", unit: "MiB", digits: 0 },
  memory1000: { title: "memory with 1,000 open streams", unit: "MiB", digits: 0 },
  loadedMemory: { title: "memory after load", unit: "MiB", digits: 0 },
  readyMs: { title: "from start to ready", unit: "ms", digits: 0 },
  readyCpuMs: { title: "CPU from start to ready", unit: "ms", digits: 0 },
  stoppedLoading: {
    title: "requests stopped, of 20 clients that disconnect during a load",
    unit: "",
    digits: 0,
  },
  stoppedWaiting: {
    title: "requests stopped, of 20 clients that disconnect before the first token",
    unit: "",
    digits: 0,
  },
  stoppedStreaming: {
    title: "requests stopped, of 20 clients that disconnect in mid-stream",
    unit: "",
    digits: 0,
  },
  stoppedBuffered: {
    title: "requests stopped, of 20 clients that disconnect before a buffered response",
    unit: "",
    digits: 0,
  },
} as const satisfies Record<string, Measure>;

export type MeasureName = keyof typeof measures;

export const measureNames = Object.keys(measures) as MeasureName[];

/** The results of one round. A measure is absent if it does not apply or could not be measured. */
export type Measured = Partial<Record<MeasureName, number>>;

/** A measure's title with its unit. */
export function titleOf(name: MeasureName): string {
  const { title, unit } = measures[name];
  return unit === "" ? title : `${title} (${unit})`;
}
