// node bench/admin-api.ts [SERIES [ROUNDS]]: what the admin API and one open console cost the gateway's processor for each
// response. Two gateways, one without the admin API, take the same load in turns, the other one with and without a console.
// Each series has processes of its own: two of the same program differ by more than what is measured.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { Pool } from "undici";

const SERIES = Number(process.argv[2] ?? 5);
const ROUNDS = Number(process.argv[3] ?? 9);
// A console gets its events once a second.
const ROUND_MS = 2000;
const WARM_UP_ROUNDS = 3;
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
  readonly url: string;
}

async function start(adminApi: "on" | "off", port: number): Promise<Gateway> {
  const url = `http://127.0.0.1:${String(port)}`;
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
  const pool = new Pool(url, { connections: CONNECTIONS });
  for (;;) {
    const ready = await pool.request({ method: "GET", path: "/ready" }).catch(() => undefined);
    await ready?.body.dump();
    if (ready?.statusCode === 200) break;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return { process: child, pool, url };
}

/** Processor time of a process so far, ms: of all its threads, those that collect garbage included. */
function processorMs(pid: number): number {
  const tasks = `/proc/${String(pid)}/task`;
  const ns = readdirSync(tasks).map((task) =>
    Number(readFileSync(join(tasks, task, "schedstat"), "utf8").split(" ", 1)[0]),
  );
  return ns.reduce((sum, each) => sum + each, 0) / NS_PER_MS;
}

async function stop({ process: child, pool }: Gateway): Promise<void> {
  await pool.destroy();
  const exited = once(child, "exit");
  child.kill("SIGKILL");
  await exited;
}

/** Ms of the processor for each response. */
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

/** The same round with a console that reads its events. */
async function watchedRound(gateway: Gateway): Promise<number> {
  const leaving = new AbortController();
  const events = await fetch(`${gateway.url}/admin/events`, { signal: leaving.signal });
  void events.body?.pipeTo(new WritableStream()).catch(() => undefined);
  try {
    return await round(gateway);
  } finally {
    leaving.abort();
  }
}

interface Costs {
  readonly off: number[];
  readonly on: number[];
  readonly watched: number[];
}

async function series(): Promise<Costs> {
  const costs: Costs = { off: [], on: [], watched: [] };
  const [off, on] = await Promise.all([start("off", 18_790), start("on", 18_791)]);
  for (let n = 0; n < WARM_UP_ROUNDS; n += 1) for (const each of [off, on]) await round(each);
  for (let n = 0; n < ROUNDS; n += 1) {
    const turns = [
      async () => void costs.off.push(await round(off)),
      async () => void costs.on.push(await round(on)),
      async () => void costs.watched.push(await watchedRound(on)),
    ];
    // Each is first, second and third as often.
    for (let turn = 0; turn < turns.length; turn += 1) await turns[(n + turn) % turns.length]?.();
  }
  await Promise.all([stop(off), stop(on)]);
  return costs;
}

/** What one kind of rounds takes beyond another, in percent: the median of the rounds that followed each other. */
function beyond(costs: readonly number[], others: readonly number[]): number {
  return 100 * (median(costs.map((cost, n) => cost / (others[n] ?? NaN))) - 1);
}

const all: Costs[] = [];
for (let n = 0; n < SERIES; n += 1) all.push(await series());
const us = (costs: readonly number[]): string => `${(1000 * median(costs)).toFixed(1)} us`;
const percent = (value: number): string => `${value < 0 ? "" : "+"}${value.toFixed(1)} %`;
const inAll = (of: (costs: Costs) => number): string => {
  const values = all.map(of);
  return `${percent(median(values))} (series: ${values.map(percent).join(", ")})`;
};
console.log(`Processor time of the gateway for a buffered response, ${String(SERIES)} series of ${String(ROUNDS)} rounds:
  without the admin API    ${us(all.flatMap(({ off }) => off))}
  with it, no console open ${us(all.flatMap(({ on }) => on))}
  with one console open    ${us(all.flatMap(({ watched }) => watched))}
An open console costs ${inAll(({ watched, on }) => beyond(watched, on))}
Both together cost    ${inAll(({ watched, off }) => beyond(watched, off))}`);
process.exit();
