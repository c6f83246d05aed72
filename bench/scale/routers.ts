import { hash } from "node:crypto";
import { Consumer } from "../../gateway/src/auth/consumer.ts";
import { BackendPool } from "../../gateway/src/backends/backend-pool.ts";
import { readConfig } from "../../gateway/src/config/config.ts";
import { ApiError } from "../../gateway/src/errors.ts";
import type { OllamaClient } from "../../gateway/src/ollama/client.ts";
import { Scheduler } from "../../gateway/src/scheduling/scheduler.ts";
import type { Job, SimulatedServer } from "./simulated-server.ts";

/** Assigns jobs to servers. */
export interface Router {
  /** @param key the key that sends the job */
  run(job: Job, key: string): Promise<void>;
  close(): Promise<void>;
}

const PROBE_MS = 3000;
const HOUR = "3600000";

/** The gateway's own scheduler and backend pool; only the connections are simulated. */
export function gatewayRouter(
  servers: readonly SimulatedServer[],
  slots: number,
  models: readonly string[],
  affinity: boolean,
): Router {
  const hosts = servers.map((_, index) => `10.0.${index >> 8}.${index & 255}`);
  const config = readConfig({
    LLM_BACKENDS: hosts.map((host) => `${host}:11434*${slots}`).join(","),
    POLL_INTERVAL_MS: `${PROBE_MS}`,
    QUEUE_LIMIT: "65535",
    QUEUE_TIMEOUT_MS: HOUR,
    LOADING_COMMENT_MS: HOUR,
  });
  const byHost = new Map(hosts.map((host, index) => [host, servers[index]]));
  const pool = new BackendPool(config, (_config, { host }) => clientOf(byHost.get(host), models));
  const scheduler = new Scheduler(pool, {
    length: config.QUEUE_LIMIT,
    timeoutMs: config.QUEUE_TIMEOUT_MS,
    loadingCommentMs: config.LOADING_COMMENT_MS,
  });
  pool.loader.onEnd = (outcome) => {
    scheduler.loadEnded(outcome);
  };
  const consumers = new Map<string, Consumer>();
  const consumerOf = (key: string): Consumer => {
    const known = consumers.get(key) ?? new Consumer({ name: key });
    consumers.set(key, known);
    return known;
  };
  return {
    async run(job, key) {
      const messages = [{ role: "user", content: `conversation ${job.conversation}` }];
      const body = { model: job.model, ...(affinity ? { messages } : {}) };
      const path = affinity ? "/api/chat" : "/api/generate";
      const admitted = scheduler.admit({ path, body, subject: "messages", consumer: consumerOf(key) });
      try {
        await admitted.run((client) => (client as unknown as SimulatedClient).execute(job));
      } finally {
        admitted.leave();
      }
    },
    close: () => pool.close(),
  };
}

/** The part of the gateway's client that is used here, and the simulation of a request. */
interface SimulatedClient extends Pick<
  OllamaClient,
  "version" | "models" | "running" | "request" | "retire" | "close"
> {
  execute(job: Job): Promise<void>;
}

function clientOf(server: SimulatedServer | undefined, models: readonly string[]): OllamaClient {
  const present = models.map((name) => ({ name, digest: name, size: 1, modified_at: "", model: name }));
  const respond = <Response>(response: () => Response): Promise<Response> =>
    server?.alive === true
      ? Promise.resolve(response())
      : Promise.reject(new ApiError("upstream_unreachable", { retryable: true }));
  const client: SimulatedClient = {
    version: () => respond(() => "simulated"),
    models: () => respond(() => present as never),
    running: () =>
      respond(() => ({
        models: [...(server?.loaded.keys() ?? [])].map((name) => ({ name })) as never,
        now: 0,
      })),
    async request({ model = "" }) {
      await server?.load(model);
    },
    execute: async (job) => {
      await server?.generate(job);
    },
    retire: () => undefined,
    close: () => Promise.resolve(),
  };
  return client as unknown as OllamaClient;
}

/** Probes the servers periodically, for the routers without a queue. */
function probe(servers: readonly SimulatedServer[]): {
  readonly alive: () => readonly SimulatedServer[];
  readonly stop: () => void;
} {
  let alive = servers;
  const timer = setInterval(() => {
    alive = servers.filter((server) => server.alive);
  }, PROBE_MS);
  return {
    alive: () => alive,
    stop() {
      clearInterval(timer);
    },
  };
}

function directRouter(
  servers: readonly SimulatedServer[],
  choose: (job: Job, alive: readonly SimulatedServer[]) => SimulatedServer | undefined,
): Router {
  const { alive, stop } = probe(servers);
  return {
    async run(job) {
      // Retries a refused connection once on another server, as proxies do.
      const first = choose(job, alive());
      if (first?.alive === true) await first.generate(job);
      else
        await choose(
          job,
          alive().filter((each) => each !== first),
        )?.generate(job);
    },
    close() {
      stop();
      return Promise.resolve();
    },
  };
}

export function roundRobin(servers: readonly SimulatedServer[]): Router {
  let next = 0;
  return directRouter(servers, (_job, alive) => {
    next += 1;
    return alive[next % alive.length];
  });
}

export function leastConnections(servers: readonly SimulatedServer[]): Router {
  return directRouter(servers, (_job, alive) => {
    let least = alive[0];
    for (const each of alive) if (least === undefined || each.connections < least.connections) least = each;
    return least;
  });
}

/** Sends each conversation to one server, by consistent hashing. */
export function prefixAffine(servers: readonly SimulatedServer[]): Router {
  const ranks = new Map(servers.map((server, index) => [server, index]));
  const ring = servers
    .flatMap((server, index) =>
      Array.from({ length: 64 }, (_, point) => ({ at: position(`${index} ${point}`), server })),
    )
    .toSorted((left, right) => left.at - right.at);
  return directRouter(servers, (job, alive) => {
    const living = new Set(alive);
    const at = position(`conversation ${job.conversation}`);
    let low = 0;
    for (let high = ring.length; low < high;) {
      const middle = (low + high) >> 1;
      if ((ring[middle]?.at ?? 0) < at) low = middle + 1;
      else high = middle;
    }
    for (let step = 0; step < ring.length; step += 1) {
      const server = ring[(low + step) % ring.length]?.server;
      if (server !== undefined && living.has(server) && ranks.has(server)) return server;
    }
    return undefined;
  });
}

function position(text: string): number {
  return Number.parseInt(hash("sha256", text).slice(0, 12), 16);
}
