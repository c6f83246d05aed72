import { spawn } from "node:child_process";
import { join } from "node:path";
import { expect, onTestFinished } from "vitest";
import { freePort } from "../../host/free-port.ts";
import type { FakeOllama } from "../fakes/ollama/fake-ollama.ts";
import { last, type Step, token } from "../fakes/ollama/steps.ts";
import { eventually, metric, startGateway, type TestGateway } from "./gateway-harness.ts";
import { RedisServer } from "../redis/redis-server.ts";

const SERVER = join(import.meta.dirname, "../../gateway/src/server.ts");

// On a busy machine, nothing counts as slow unless a test slows it down.
const LONG_TIMEOUTS = { SHARED_STATE_TIMEOUT_MS: "60000", SHARED_STATE_LEASE_MS: "60000" };

/** Starts a Redis that ends with the test. */
export async function startRedis(password = ""): Promise<RedisServer> {
  const redis = await RedisServer.start(password);
  onTestFinished(() => redis.stop());
  return redis;
}

interface Setting {
  readonly environment?: Record<string, string>;
}

/** Starts gateways that share one Redis, and waits until each sees all servers up. */
export async function startShared(
  count: number,
  redis: RedisServer,
  servers: readonly FakeOllama[],
  setting: Setting = {},
): Promise<TestGateway[]> {
  return Promise.all(Array.from({ length: count }, () => startOne(redis, servers, setting)));
}

async function startOne(
  redis: RedisServer,
  servers: readonly FakeOllama[],
  { environment = {} }: Setting,
): Promise<TestGateway> {
  const [first] = servers;
  if (first === undefined) throw new Error("no server");
  const gateway = await startGateway(first, {
    ...environmentOf(redis, servers),
    ...environment,
  });
  for (const { port } of servers)
    await metric(gateway.url, `gateway_backend_up{backend="127.0.0.1:${port}"} 1`);
  return gateway;
}

/** The environment of a gateway that shares a Redis, in front of servers that run one request at a time. */
export function environmentOf(redis: RedisServer, servers: readonly FakeOllama[]): Record<string, string> {
  return {
    LLM_BACKENDS: servers.map(({ port }) => `127.0.0.1:${port}`).join(","),
    OLLAMA_NUM_PARALLEL: "1",
    POLL_INTERVAL_MS: "50",
    ...LONG_TIMEOUTS,
    SHARED_STATE: redis.url,
  };
}

/** Waits until a gateway reports that its shared state is up or away. */
export async function stateIs({ url }: TestGateway, state: "up" | "away"): Promise<void> {
  await expect
    .poll(
      async () => ((await (await fetch(`${url}/ready`)).json()) as { shared_state?: string }).shared_state,
      {
        interval: 10,
      },
    )
    .toBe(state);
}

/** Waits until each gateway counts all of them. */
export async function knowEachOther(gateways: readonly TestGateway[]): Promise<void> {
  for (const { url } of gateways) await metric(url, `gateway_shared_state_gateways ${gateways.length}`);
}

/** Counts a server's concurrent requests, each of which lasts until `until` resolves. */
export class Meter {
  now = 0;
  most = 0;
  total = 0;

  constructor(server: FakeOllama, until: () => Promise<unknown>) {
    server.respondTo((): readonly Step[] => {
      this.total += 1;
      this.now += 1;
      this.most = Math.max(this.most, this.now);
      const over = until().then(() => {
        this.now -= 1;
      });
      return [token("x"), { until: over }, last()];
    });
  }
}

/** A gateway in a separate process, so that it can be killed. */
interface GatewayProcess extends Pick<TestGateway, "url" | "post"> {
  kill(): void;
}

export async function startProcess(
  redis: RedisServer,
  servers: readonly FakeOllama[],
  environment: Record<string, string> = {},
): Promise<GatewayProcess> {
  const port = await freePort();
  const child = spawn(process.execPath, [SERVER], {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, PORT: `${port}`, ...environmentOf(redis, servers), ...environment },
  });
  const kill = (): void => void child.kill("SIGKILL");
  onTestFinished(kill);
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (piece: string) => (output += piece));
  await eventually(() => output.includes("Server listening") || undefined);
  const url = `http://127.0.0.1:${port}`;
  const post = (path: string, body: unknown): Promise<Response> =>
    fetch(url + path, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
  return { url, post, kill };
}
