import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { Agent, request as httpRequest } from "node:http";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { newKey } from "../gateway/src/auth/api-keys.ts";
import { freePort } from "../host/free-port.ts";
import { FakeOllama } from "../test-support/fakes/ollama/fake-ollama.ts";
import { RedisServer } from "../test-support/redis/redis-server.ts";
import { table } from "./results.ts";
import { quantile, summaryOf, withSpread } from "./summary.ts";

// The cost per request of sharing slots and key limits in Redis, compared with a gateway that keeps its state in memory,
// in the same rounds.

const SERVER = join(import.meta.dirname, "../gateway/src/server.ts");
const CLIENTS = 16;
const TICKS_PER_SECOND = 100;

const { values } = parseArgs({
  options: { rounds: { type: "string", default: "5" }, requests: { type: "string", default: "2000" } },
});
const rounds = Number(values.rounds);
const requests = Number(values.requests);

interface Variant {
  readonly name: string;
  readonly limits: readonly string[];
  readonly isShared: boolean;
}

const variants: readonly Variant[] = [
  { name: "slots", limits: [], isShared: false },
  { name: "slots", limits: [], isShared: true },
  { name: "slots and limits", limits: ["requests=1000000", "tokens=100000000"], isShared: false },
  { name: "slots and limits", limits: ["requests=1000000", "tokens=100000000"], isShared: true },
];

interface Sample {
  /** Median of sequential requests, ms. */
  readonly latencyMs: number;
  /** Processor time of the gateway per request, with concurrent clients, ms. */
  readonly cpuMs: number;
  /** Processor time of Redis per request, ms. */
  readonly redisMs: number;
}

class Gateway {
  readonly #process: ChildProcess;
  readonly #port: number;
  readonly #key: string;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: CLIENTS });

  private constructor(process: ChildProcess, port: number, key: string) {
    this.#process = process;
    this.#port = port;
    this.#key = key;
  }

  static async start(variant: Variant, ollama: FakeOllama, redis: RedisServer): Promise<Gateway> {
    const port = await freePort();
    const { key, line } = newKey("bench", variant.limits);
    const child = spawn(process.execPath, [SERVER], {
      stdio: ["ignore", "pipe", "inherit"],
      env: {
        ...process.env,
        PORT: `${port}`,
        LLM_SERVICE_PORT: `${ollama.port}`,
        LLM_MODEL_ID: "m",
        OLLAMA_NUM_PARALLEL: `${2 * CLIENTS}`,
        API_KEYS: line,
        SHARED_STATE: variant.isShared ? redis.url : "memory",
        SHARED_STATE_TIMEOUT_MS: "60000",
        SHARED_STATE_LEASE_MS: "60000",
      },
    });
    await new Promise<void>((resolve) => {
      child.stdout.on("data", (piece: Buffer) => {
        if (String(piece).includes("Server listening")) resolve();
      });
    });
    const gateway = new Gateway(child, port, key);
    // Warms up, because Node.js compiles code while it runs.
    await gateway.run(requests, CLIENTS);
    return gateway;
  }

  get pid(): number {
    return this.#process.pid ?? 0;
  }

  /** Sends requests from concurrent clients, and returns the duration of each, ms. */
  async run(count: number, clients: number): Promise<number[]> {
    const times: number[] = [];
    let left = count;
    const client = async (): Promise<void> => {
      while (left > 0) {
        left -= 1;
        const began = performance.now();
        await this.#send();
        times.push(performance.now() - began);
      }
    };
    await Promise.all(Array.from({ length: clients }, client));
    return times;
  }

  async stop(): Promise<void> {
    this.#agent.destroy();
    const ended = once(this.#process, "exit");
    this.#process.kill("SIGTERM");
    await ended;
  }

  async #send(): Promise<void> {
    const body = '{"model":"m","messages":[{"role":"user","content":"Hi"}]}';
    const headers = { "content-type": "application/json", authorization: `Bearer ${this.#key}` };
    const options = {
      port: this.#port,
      path: "/v1/chat/completions",
      method: "POST",
      agent: this.#agent,
      headers,
    };
    const sent = httpRequest(options).end(body);
    const [response] = (await once(sent, "response")) as [import("node:http").IncomingMessage];
    const text = Buffer.concat(await response.toArray()).toString();
    if (response.statusCode !== 200 || !text.includes("Hello there."))
      throw new Error(`${response.statusCode}: ${text}`);
  }
}

/** User and system time of a process, ms. */
function processorMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
    .replace(/^.*\) /, "")
    .split(" ");
  return ((Number(fields[11]) + Number(fields[12])) * 1000) / TICKS_PER_SECOND;
}

async function measure(gateway: Gateway, redis: RedisServer): Promise<Sample> {
  const latencyMs = quantile(await gateway.run(Math.ceil(requests / 4), 1), 0.5);
  const before = [processorMs(gateway.pid), processorMs(redis.pid)] as const;
  await gateway.run(requests, CLIENTS);
  const cpuMs = (processorMs(gateway.pid) - before[0]) / requests;
  return { latencyMs, cpuMs, redisMs: (processorMs(redis.pid) - before[1]) / requests };
}

const redis = await RedisServer.start();
const ollama = await FakeOllama.start();
const version = /redis_version:(\S+)/.exec(String(await redis.command("INFO", "server")))?.[1];
try {
  const gateways: Gateway[] = [];
  for (const variant of variants) gateways.push(await Gateway.start(variant, ollama, redis));
  const samples: Sample[][] = variants.map(() => []);
  for (let round = 0; round < rounds; round += 1)
    for (const [n, gateway] of gateways.entries()) samples[n]?.push(await measure(gateway, redis));
  for (const gateway of gateways) await gateway.stop();

  const ms = (each: readonly Sample[], name: keyof Sample, digits: number) =>
    `${withSpread(summaryOf(each.map((sample) => sample[name])), digits)} ms`;
  const rows: string[][] = [];
  for (let n = 0; n < variants.length; n += 2) {
    const [alone = [], shared = []] = [samples[n], samples[n + 1]];
    const pairs = alone.map((each, round) => [each, shared[round] ?? each] as const);
    const added = pairs.map(([one, other]) => other.latencyMs - one.latencyMs);
    const ratios = pairs.map(([one, other]) => other.cpuMs / one.cpuMs);
    rows.push([
      variants[n]?.name ?? "",
      ms(alone, "latencyMs", 2),
      `${withSpread(summaryOf(added), 2)} ms`,
      ms(alone, "cpuMs", 3),
      withSpread(summaryOf(ratios), 2),
      ms(shared, "redisMs", 3),
    ]);
  }
  console.log(`Node.js ${process.version}, Redis ${version}, ${rounds} rounds of ${requests} requests\n`);
  const measured = [
    "latency, memory",
    "latency added",
    "CPU, memory",
    "CPU, shared / memory",
    "CPU of Redis",
  ];
  console.log(table(["shared", ...measured], rows));
} finally {
  await ollama.stop();
  await redis.stop();
}
