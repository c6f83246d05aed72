// node bench/admin-api.ts: what the admin API costs the gateway's processor for each whole response, with one console
// open. Two gateways, one without the admin API, take the same load in turns.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { Pool } from "undici";

const ROUNDS = Number(process.argv[2] ?? 20);
const ROUND_MS = 1000;
const CONNECTIONS = 16;
const NS_PER_MS = 1e6;

const responses: Readonly<Record<string, string>> = {
  "/api/tags": '{"models":[{"name":"m:latest","digest":"d","size":1,"modified_at":"2025-01-02T03:04:05Z"}]}',
  "/api/ps": '{"models":[{"name":"m:latest","digest":"d","size":1,"size_vram":0,"context_length":4096}]}',
  "/api/version": '{"version":"0.17.4"}',
  "/api/chat":
    '{"model":"m","message":{"role":"assistant","content":"Hello there."},"done":true,"done_reason":"stop",' +
    '"prompt_eval_count":11,"prompt_eval_duration":1000000,"eval_count":3,"eval_duration":3000000}',
};

const ollama = createServer((request, response) => {
  request.resume().on("end", () => {
    response.setHeader("content-type", "application/json").end(responses[request.url ?? ""] ?? "{}");
  });
});
ollama.listen(0, "127.0.0.1");
await once(ollama, "listening");

interface Gateway {
  readonly process: ChildProcess;
  readonly pool: Pool;
  /** Ms of the processor for each response, in each round. */
  readonly costs: number[];
}

async function start(adminApi: "on" | "off", port: number): Promise<Gateway> {
  const child = spawn(process.execPath, [join(import.meta.dirname, "../gateway/src/server.ts")], {
    env: {
      ...process.env,
      PORT: String(port),
      LLM_SERVICE_PORT: String((ollama.address() as AddressInfo).port),
      OLLAMA_NUM_PARALLEL: "64",
      ADMIN_API: adminApi,
    },
    stdio: "ignore",
  });
  const pool = new Pool(`http://127.0.0.1:${String(port)}`, { connections: CONNECTIONS });
  for (;;) {
    const ready = await pool.request({ method: "GET", path: "/ready" }).catch(() => undefined);
    await ready?.body.dump();
    if (ready?.statusCode === 200) break;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return { process: child, pool, costs: [] };
}

/** Processor time of a process so far, ms: of all its threads, those that collect garbage included. */
function processorMs(pid: number): number {
  const tasks = `/proc/${String(pid)}/task`;
  const ns = readdirSync(tasks).map((task) =>
    Number(readFileSync(join(tasks, task, "schedstat"), "utf8").split(" ", 1)[0]),
  );
  return ns.reduce((sum, each) => sum + each, 0) / NS_PER_MS;
}

async function round({ process: { pid = 0 }, pool }: Gateway): Promise<number> {
  const body = '{"model":"m","messages":[{"role":"user","content":"Hi"}]}';
  const headers = { "content-type": "application/json" };
  const [before, end] = [processorMs(pid), performance.now() + ROUND_MS];
  let count = 0;
  const client = async () => {
    while (performance.now() < end) {
      const response = await pool.request({ method: "POST", path: "/v1/chat/completions", headers, body });
      await response.body.dump();
      count += 1;
    }
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, client));
  return (processorMs(pid) - before) / count;
}

function median(values: readonly number[]): number {
  return values.toSorted((one, other) => one - other)[Math.floor(values.length / 2)] ?? NaN;
}

const off = await start("off", 18_790);
const on = await start("on", 18_791);
const watching = await fetch("http://127.0.0.1:18791/admin/events");
void watching.body?.pipeTo(new WritableStream()).catch(() => undefined);
for (const each of [off, on]) for (let n = 0; n < 3; n += 1) await round(each);
for (let n = 0; n < ROUNDS; n += 1) {
  for (const each of n % 2 === 0 ? [off, on] : [on, off]) each.costs.push(await round(each));
}
const ratios = on.costs.map((cost, n) => cost / (off.costs[n] ?? NaN));
const us = (ms: number): string => (1000 * ms).toFixed(1);
console.log(
  `off: ${us(median(off.costs))} us, on: ${us(median(on.costs))} us of the processor for a response`,
);
const least = (values: readonly number[]): number => Math.min(...values);
console.log(`at best: ${us(least(off.costs))} and ${us(least(on.costs))} us`);
console.log(`on / off, median of ${String(ROUNDS)} rounds: ${median(ratios).toFixed(3)}`);
for (const each of [off, on]) each.process.kill();
process.exit();
