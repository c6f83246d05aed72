import { setTimeout as sleep } from "node:timers/promises";
import type { ClosedResult, Faults, Load } from "./load-process.ts";
import type { Peer } from "./peers/peer.ts";
import type { PinnedProcess } from "./pinned.ts";

/** What is measured of a peer, in one round. Absent: it does not apply, or could not be measured. */
export type Measured = Partial<Record<MeasureName, number>>;

export interface Measure {
  readonly title: string;
  readonly unit: string;
  readonly digits: number;
}

/** All that is measured, in the order of the report. */
export const measures = {
  wholeMs: { title: "whole answer, p50 at 1 connection", unit: "ms", digits: 3 },
  firstMs: { title: "first token of a stream, p50 at 1 connection", unit: "ms", digits: 3 },
  addedWholeMs: { title: "added to a whole answer, p50 at 1 connection", unit: "ms", digits: 3 },
  addedFirstMs: { title: "added to the first token, p50 at 1 connection", unit: "ms", digits: 3 },
  wholeRate: { title: "whole answers a second at 16 connections", unit: "1/s", digits: 0 },
  streamRate: { title: "64-token streams a second at 16 connections", unit: "1/s", digits: 0 },
  wholeCpu: { title: "CPU a whole answer", unit: "µs", digits: 1 },
  streamCpu: { title: "CPU a 64-token stream", unit: "µs", digits: 0 },
  pacedCpu: { title: "CPU a 64-token stream of 5 ms a token", unit: "µs", digits: 0 },
  gapP50: { title: "gap between tokens sent every 5 ms, p50", unit: "ms", digits: 3 },
  gapP99: { title: "gap between tokens sent every 5 ms, p99", unit: "ms", digits: 3 },
  addedGapP99: { title: "added to that gap's p99", unit: "ms", digits: 3 },
  idleMemory: { title: "memory, idle", unit: "MiB", digits: 0 },
  memory200: { title: "memory with 200 open streams", unit: "MiB", digits: 0 },
  memory1000: { title: "memory with 1,000 open streams", unit: "MiB", digits: 0 },
  loadedMemory: { title: "memory after load", unit: "MiB", digits: 0 },
  readyMs: { title: "from start to ready", unit: "ms", digits: 0 },
  leftLoading: { title: "stopped of 20 that left during a load", unit: "", digits: 0 },
  leftWaiting: { title: "stopped of 20 that left before the first token", unit: "", digits: 0 },
  leftStreaming: { title: "stopped of 20 that left in mid-stream", unit: "", digits: 0 },
  leftWhole: { title: "stopped of 20 that left before a whole answer", unit: "", digits: 0 },
} as const satisfies Record<string, Measure>;

export type MeasureName = keyof typeof measures;

export interface Plan {
  /** How long each load lasts. */
  readonly seconds: number;
  /** How long a peer serves buffered responses, and then streams, before anything counts. */
  readonly warmUpSeconds: number;
  /** Until a process that has just started or has just been loaded holds still. */
  readonly settleMs: number;
  /** How many streams are held open at once, for the memory. */
  readonly openStreams: readonly (200 | 1000)[];
  readonly leaving: boolean;
}

export interface Stage {
  readonly load: Load;
  /** For what the peers write. */
  readonly folder: string;
  readonly plan: Plan;
  /** Gets every response that was not as it has to be. */
  readonly fault: (what: string, faults: Faults) => void;
}

const CONNECTIONS = 16;
const LEAVERS = 20;

/** Measures what an answer takes without anything in between. */
export async function measureDirect(stage: Stage): Promise<Measured> {
  const { load, plan } = stage;
  const ask = (model: "fast" | "paced", stream: boolean, connections: number) =>
    closed(stage, "direct", { port: load.port, path: "/api/chat", model, stream }, connections, plan.seconds);
  await ask("fast", true, CONNECTIONS);
  return {
    wholeMs: (await ask("fast", false, 1)).latency.p50,
    firstMs: (await ask("fast", true, 1)).first.p50,
    wholeRate: rate(await ask("fast", false, CONNECTIONS)),
    streamRate: rate(await ask("fast", true, CONNECTIONS)),
    ...gaps(await ask("paced", true, CONNECTIONS)),
  };
}

export async function measure(peer: Peer, stage: Stage): Promise<Measured> {
  return {
    ...(await withPeer(peer, stage, (running) => speed(peer, running, stage))),
    ...(await measureMemory(peer, stage)),
  };
}

/** Measures a process that has served nothing yet: idle, and with open streams. */
export function measureMemory(peer: Peer, stage: Stage): Promise<Measured> {
  return withPeer(peer, stage, (running) => memory(peer, running, stage));
}

async function withPeer(
  peer: Peer,
  { load, folder }: Stage,
  use: (running: PinnedProcess) => Promise<Measured>,
): Promise<Measured> {
  const running = await peer.start(load.port, folder);
  try {
    return { readyMs: running.readyMs, ...(await use(running)) };
  } finally {
    await running.stop();
  }
}

async function speed(peer: Peer, running: PinnedProcess, stage: Stage): Promise<Measured> {
  const { load, plan } = stage;
  const ask = (model: "fast" | "paced", stream: boolean, connections: number, seconds = plan.seconds) =>
    closed(stage, peer.name, peer.question(running.port, model, stream), connections, seconds);
  const withCpu = async (model: "fast" | "paced", stream: boolean) => {
    const before = running.cpu();
    const result = await ask(model, stream, CONNECTIONS);
    return { ...result, cpu: (running.cpu() - before) / result.answers };
  };
  await ask("fast", false, CONNECTIONS, plan.warmUpSeconds);
  await ask("fast", true, CONNECTIONS, plan.warmUpSeconds);
  const whole = await withCpu("fast", false);
  const stream = await withCpu("fast", true);
  const paced = await withCpu("paced", true);
  const wholeMs = (await ask("fast", false, 1)).latency.p50;
  const firstMs = (await ask("fast", true, 1)).first.p50;
  await sleep(plan.settleMs);
  const loadedMemory = running.memory();
  const leave = async (model: "cold" | "slow" | "open", streamed: boolean) => {
    const question = peer.question(running.port, model, streamed);
    return (await load.leave(question, LEAVERS, model === "open" ? "token" : "nothing")).stopped;
  };
  return {
    wholeMs,
    firstMs,
    wholeRate: rate(whole),
    streamRate: rate(stream),
    wholeCpu: whole.cpu,
    streamCpu: stream.cpu,
    pacedCpu: paced.cpu,
    ...gaps(paced),
    loadedMemory,
    ...(plan.leaving && {
      leftLoading: await leave("cold", true),
      leftWaiting: await leave("slow", true),
      leftStreaming: await leave("open", true),
      leftWhole: await leave("slow", false),
    }),
  };
}

async function memory(peer: Peer, running: PinnedProcess, stage: Stage): Promise<Measured> {
  const { load, plan } = stage;
  await sleep(plan.settleMs);
  const measured: Measured = { idleMemory: running.memory() };
  for (const streams of plan.openStreams) {
    const { flowing, faults } = await load.open(peer.question(running.port, "open", true), streams);
    await sleep(plan.settleMs);
    if (flowing === streams) measured[`memory${streams}`] = running.memory();
    else stage.fault(`${peer.name}, ${flowing} of ${streams} streams opened`, faults);
    await load.close();
  }
  return measured;
}

async function closed(
  stage: Stage,
  who: string,
  question: Parameters<Load["closed"]>[0],
  connections: number,
  seconds: number,
): Promise<ClosedResult> {
  const result = await stage.load.closed(question, connections, seconds);
  if (Object.keys(result.faults).length > 0)
    stage.fault(
      `${who}, ${question.stream ? "streams" : "whole answers"} of ${question.model}`,
      result.faults,
    );
  return result;
}

function rate({ answers, seconds }: ClosedResult): number {
  return answers / seconds;
}

function gaps({ gap }: ClosedResult): Measured {
  return { gapP50: gap.p50, gapP99: gap.p99 };
}
