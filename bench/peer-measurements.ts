import { setTimeout as sleep } from "node:timers/promises";
import type { ClosedResult } from "./load-process.ts";
import type { Measured } from "./measures.ts";
import type { Peer } from "./peers/peer.ts";
import type { PinnedProcess } from "./pinned-process.ts";
import { CONNECTIONS, type Stage } from "./stage.ts";

const DISCONNECTING_CLIENTS = 20;

/** Measures the fake Ollama without a peer in front of it. */
export async function measureDirect(stage: Stage): Promise<Measured> {
  const source = { name: "direct", isOurs: true };
  const run = (model: "fast" | "paced", stream: boolean, connections: number) =>
    stage.run(source, { port: stage.load.port, path: "/api/chat", model, stream }, connections);
  await run("fast", true, CONNECTIONS);
  return {
    bufferedMs: (await run("fast", false, 1)).latency.p50,
    firstMs: (await run("fast", true, 1)).first.p50,
    bufferedRate: rateOf(await run("fast", false, CONNECTIONS)),
    streamRate: rateOf(await run("fast", true, CONNECTIONS)),
    ...gapsOf(await run("paced", true, CONNECTIONS)),
  };
}

/** Measures a peer: one process under load, and another one for its memory. */
export async function measurePeer(peer: Peer, stage: Stage): Promise<Measured> {
  return {
    ...(await withProcess(peer, stage, (running) => measureLoad(peer, running, stage))),
    ...(await measureMemory(peer, stage)),
  };
}

/** Measures the memory of a new process: idle, and with open streams. */
export function measureMemory(peer: Peer, stage: Stage): Promise<Measured> {
  return withProcess(peer, stage, async (running) => {
    const { load, plan } = stage;
    await sleep(plan.settleMs);
    const measured: Measured = { idleMemory: running.memory() };
    for (const streams of plan.openStreams) {
      const { flowing, faults } = await load.open(peer.request(running.port, "open", true), streams);
      await sleep(plan.settleMs);
      if (flowing === streams) measured[`memory${streams}`] = running.memory();
      else stage.addFault(peer, `${flowing} of ${streams} streams opened`, faults);
      await load.close();
    }
    return measured;
  });
}

async function withProcess(
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

async function measureLoad(peer: Peer, running: PinnedProcess, stage: Stage): Promise<Measured> {
  const { load, plan } = stage;
  const run = (model: "fast" | "paced", stream: boolean, connections: number, seconds?: number) =>
    stage.run(peer, peer.request(running.port, model, stream), connections, seconds);
  const runWithCpu = async (model: "fast" | "paced", stream: boolean) => {
    const before = running.cpu();
    const result = await run(model, stream, CONNECTIONS);
    return { ...result, cpu: (running.cpu() - before) / result.responses };
  };
  await run("fast", false, CONNECTIONS, plan.warmUpSeconds);
  await run("fast", true, CONNECTIONS, plan.warmUpSeconds);
  const buffered = await runWithCpu("fast", false);
  const stream = await runWithCpu("fast", true);
  const paced = await runWithCpu("paced", true);
  const bufferedMs = (await run("fast", false, 1)).latency.p50;
  const firstMs = (await run("fast", true, 1)).first.p50;
  await sleep(plan.settleMs);
  const loadedMemory = running.memory();
  const disconnect = async (model: "cold" | "slow" | "open", isStream: boolean) => {
    const request = peer.request(running.port, model, isStream);
    const after = model === "open" ? "token" : "nothing";
    return (await load.disconnect(request, DISCONNECTING_CLIENTS, after)).stopped;
  };
  return {
    bufferedMs,
    firstMs,
    bufferedRate: rateOf(buffered),
    streamRate: rateOf(stream),
    bufferedCpu: buffered.cpu,
    streamCpu: stream.cpu,
    pacedCpu: paced.cpu,
    ...gapsOf(paced),
    loadedMemory,
    ...(plan.disconnects && {
      stoppedLoading: await disconnect("cold", true),
      stoppedWaiting: await disconnect("slow", true),
      stoppedStreaming: await disconnect("open", true),
      stoppedBuffered: await disconnect("slow", false),
    }),
  };
}

function rateOf({ responses, seconds }: ClosedResult): number {
  return responses / seconds;
}

function gapsOf({ gap }: ClosedResult): Measured {
  return { gapP50: gap.p50, gapP99: gap.p99 };
}
