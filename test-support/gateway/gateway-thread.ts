import type { AddressInfo } from "node:net";
import { parentPort, workerData } from "node:worker_threads";
import { buildApp } from "../../gateway/src/app.ts";
import { readConfig } from "../../gateway/src/config/config.ts";
import { createLog } from "../../gateway/src/observability/log.ts";

// A gateway on its own thread, which measures the processor time of each turn of its event loop. Unlike the delay of the
// event loop, that does not depend on how busy the machine is.

/** "begin" starts a measurement, "end" returns its longest turn in ms, "reference" the time of the reference work. */
export type ThreadMessage = "begin" | "end" | "reference";

const config = readConfig(workerData as Record<string, string>);
const app = buildApp(config, createLog(config.LOG_LEVEL, { write: () => undefined }));
await app.listen({ host: "127.0.0.1", port: 0 });

let isMeasuring = false;
let longestMs = 0;
let before = process.threadCpuUsage();

function turn(): void {
  const { user, system } = process.threadCpuUsage(before);
  longestMs = Math.max(longestMs, (user + system) / 1000);
  before = process.threadCpuUsage();
  if (isMeasuring) atEndOfTurn();
}

/** Unlike others, an immediate without a reference lets the event loop sleep until there is something to do. */
function atEndOfTurn(): void {
  setImmediate(turn).unref();
}

/** The processor time of a fixed piece of work that resembles that of long bodies: filling 64 MiB of new memory. */
function referenceMs(): number {
  const start = process.threadCpuUsage();
  new Uint8Array(64 * 1024 * 1024).fill(1);
  const { user, system } = process.threadCpuUsage(start);
  return (user + system) / 1000;
}

function handle(message: ThreadMessage): number {
  if (message === "reference") return referenceMs();
  isMeasuring = message === "begin";
  if (!isMeasuring) return longestMs;
  // Excludes earlier garbage from this measurement.
  (globalThis as { gc?: () => void }).gc?.();
  before = process.threadCpuUsage();
  longestMs = 0;
  atEndOfTurn();
  return 0;
}

parentPort?.on("message", (message: ThreadMessage) => {
  parentPort?.postMessage(handle(message));
});
parentPort?.postMessage((app.server.address() as AddressInfo).port);
