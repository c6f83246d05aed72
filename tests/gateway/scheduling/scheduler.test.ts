import { beforeEach, expect, onTestFinished, test, vi } from "vitest";
import { Consumer } from "../../../gateway/src/auth/consumer.ts";
import type { Backend } from "../../../gateway/src/backends/backend.ts";
import { BackendPool } from "../../../gateway/src/backends/backend-pool.ts";
import { readConfig } from "../../../gateway/src/config/config.ts";
import { ApiError } from "../../../gateway/src/errors.ts";
import type { OllamaClient } from "../../../gateway/src/ollama/client.ts";
import type { AdmittedRequest } from "../../../gateway/src/scheduling/admitted-request.ts";
import { Scheduler } from "../../../gateway/src/scheduling/scheduler.ts";
import type { SharedSlots } from "../../../gateway/src/scheduling/shared-slots.ts";

const TIMEOUT_MS = 300;

beforeEach(() => {
  vi.useFakeTimers({
    toFake: ["setInterval", "clearInterval", "setTimeout", "clearTimeout", "performance"],
  });
  onTestFinished(() => {
    vi.useRealTimers();
  });
});

/** A simulated server with the models m and n. */
interface Server {
  /** Number of concurrent requests. Default: 1 */
  readonly slots?: number;
  readonly loaded?: readonly { readonly name: string; readonly context_length?: number }[];
  readonly load?: () => Promise<unknown>;
}

interface Setting {
  /** Maximum length of the queue. */
  readonly length?: number;
  /** Whether a slot is free; if not, another gateway has taken it, until `freeSlots` is called. */
  readonly grants?: () => Promise<boolean>;
}

/** Starts a scheduler with virtual time. Only the connections to the servers are simulated. */
async function start(servers: readonly Server[], { length = 10, grants }: Setting = {}) {
  const config = readConfig({
    LLM_BACKENDS: servers.map(({ slots = 1 }, index) => `10.0.0.${index + 1}:11434*${slots}`).join(","),
    POLL_INTERVAL_MS: "3600000",
    BREAKER_FAILURES: "1",
  });
  const pool = new BackendPool(config, (_config, { host }) => {
    const { loaded = [], load } = servers[Number(host.split(".").at(-1)) - 1] ?? {};
    const client: Partial<OllamaClient> = {
      version: () => Promise.resolve("simulated"),
      models: () => Promise.resolve(["m", "n"].map((name) => ({ name, digest: name })) as never),
      running: () => Promise.resolve({ models: loaded as never, now: Date.now() }),
      request: () => load?.() ?? Promise.reject(new Error("unexpected load")),
      close: () => Promise.resolve(),
    };
    return client as OllamaClient;
  });
  onTestFinished(() => pool.close());
  const take = async (backend: Backend): Promise<boolean> => {
    const isFree = (await grants?.()) ?? true;
    if (!isFree) pool.placement.share(backend, 0);
    return isFree;
  };
  const shared: SharedSlots = { take, release: () => undefined, noneWaiting: () => undefined };
  const limits = { length, timeoutMs: TIMEOUT_MS, loadingCommentMs: 3_600_000 };
  const scheduler = new Scheduler(pool, limits, grants === undefined ? undefined : shared);
  pool.loader.onEnd = (outcome) => {
    scheduler.loadEnded(outcome);
  };
  await pool.refresh();
  const consumer = new Consumer({ options: true });
  const admit = (body: object = { model: "m" }): AdmittedRequest =>
    scheduler.admit({ path: "/api/generate", body, subject: "prompt", consumer });
  const freeSlots = (): void => {
    for (const backend of pool.all) pool.placement.share(backend, Infinity);
    pool.onChange();
  };
  return { pool, admit, freeSlots };
}

/** Runs a request until `until` resolves, and returns the name of its server or the code of its error. */
async function resultOf(
  admitted: AdmittedRequest,
  until: Promise<unknown> | (() => Promise<unknown>) = Promise.resolve(),
): Promise<string> {
  try {
    return await admitted.run(async () => {
      await (typeof until === "function" ? until() : until);
      return admitted.backendName ?? "";
    });
  } catch (error) {
    return (error as { code: string }).code;
  } finally {
    admitted.leave();
  }
}

function settled(promise: Promise<unknown>): () => boolean {
  let isSettled = false;
  void promise.finally(() => {
    isSettled = true;
  });
  return () => isSettled;
}

const pass = (ms: number): Promise<unknown> => vi.advanceTimersByTimeAsync(ms);

test("gives a request its full queue timeout after a load, even if another gateway takes its slot", async () => {
  const load = Promise.withResolvers<undefined>();
  const verdicts = [false, true];
  const grants = (): Promise<boolean> => Promise.resolve(verdicts.shift() ?? false);
  const { admit, freeSlots } = await start([{ load: () => load.promise }], { grants });
  const result = resultOf(admit());
  const isSettled = settled(result);
  await pass(10 * TIMEOUT_MS);
  load.resolve(undefined);
  await pass(TIMEOUT_MS - 1);
  expect([verdicts, isSettled()]).toEqual([[true], false]);
  freeSlots();
  expect(await result).toBe("10.0.0.1:11434");
});

test("does not reject a request that lost its slot because newer ones have filled the queue", async () => {
  const verdicts = [Promise.resolve(true)];
  const grants = (): Promise<boolean> => verdicts.shift() ?? Promise.resolve(true);
  const { admit, freeSlots } = await start([{ loaded: [{ name: "m" }] }], { length: 2, grants });
  const running = Promise.withResolvers<undefined>();
  const results = [resultOf(admit(), running.promise), resultOf(admit()), resultOf(admit())];
  await pass(0);
  const lost = Promise.withResolvers<boolean>();
  verdicts.push(lost.promise);
  running.resolve(undefined);
  await pass(0);
  expect(verdicts).toEqual([]);
  // The second request has a slot, so the queue has room for this one.
  results.push(resultOf(admit()));
  await pass(0);
  lost.resolve(false);
  await pass(0);
  freeSlots();
  expect(await Promise.all(results)).toEqual(results.map(() => "10.0.0.1:11434"));
});

const longContext = { model: "m", options: { num_ctx: 4096 } };
const inUse = { name: "m", context_length: 4096 };
const crash = (): ApiError => new ApiError("upstream_failed", { connectionBroke: true });

test("a load that crashes one server does not fail requests that wait for another with the model", async () => {
  const load = Promise.withResolvers<never>();
  const { admit } = await start([{ loaded: [inUse] }, { load: () => load.promise }]);
  const running = Promise.withResolvers<undefined>();
  const results = [resultOf(admit(longContext), running.promise), resultOf(admit(longContext))];
  const isSettled = settled(Promise.race(results));
  await pass(0);
  load.reject(crash());
  await pass(0);
  expect(isSettled()).toBe(false);
  running.resolve(undefined);
  expect(await Promise.all(results)).toEqual(["10.0.0.1:11434", "10.0.0.1:11434"]);
});

test("a load that crashes one server is not repeated on a busy one without the model", async () => {
  const load = Promise.withResolvers<never>();
  const { admit } = await start([{ loaded: [{ name: "n" }] }, { load: () => load.promise }]);
  const running = Promise.withResolvers<undefined>();
  const other = resultOf(admit({ model: "n" }), running.promise);
  const result = resultOf(admit(longContext));
  await pass(0);
  load.reject(crash());
  expect(await result).toBe("upstream_failed");
  running.resolve(undefined);
  expect(await other).toBe("10.0.0.1:11434");
});

test("the end of a load does not extend the queue timeout of requests that wait for a busy server", async () => {
  const load = Promise.withResolvers<never>();
  const { admit } = await start([{ loaded: [{ name: "m" }] }, { load: () => load.promise }]);
  const running = Promise.withResolvers<undefined>();
  const other = resultOf(admit(), running.promise);
  const result = resultOf(admit());
  const isSettled = settled(result);
  await pass(TIMEOUT_MS - 1);
  load.reject(new ApiError("upstream_failed"));
  await pass(0);
  expect(isSettled()).toBe(false);
  await pass(1);
  expect(isSettled()).toBe(true);
  expect(await result).toBe("queue_timeout");
  running.resolve(undefined);
  await other;
});

test("the end of a request sent before the breaker opened does not permit a second trial", async () => {
  const { pool, admit } = await start([{ loaded: [{ name: "m" }], slots: 3 }]);
  const { breaker } = pool.all[0] ?? {};
  const [old, trial] = [Promise.withResolvers<undefined>(), Promise.withResolvers<undefined>()];
  const before = resultOf(admit(), old.promise);
  breaker?.fail("ada");
  await pass(5000);
  expect(breaker?.state).toBe("half-open");
  const during = resultOf(admit(), trial.promise);
  old.reject(new ApiError("client_left"));
  expect(await before).toBe("client_left");
  expect([breaker?.state, breaker?.allows]).toEqual(["half-open", false]);
  trial.reject(new ApiError("client_left"));
  expect(await during).toBe("client_left");
  expect([breaker?.state, breaker?.allows]).toEqual(["half-open", true]);
});

test("the time with a server that failed counts as held, not as queued", async () => {
  const load = Promise.withResolvers<undefined>();
  const { pool, admit } = await start([{ loaded: [{ name: "m" }] }, { load: () => load.promise }]);
  const admitted = admit();
  const [failing, running] = [Promise.withResolvers<undefined>(), Promise.withResolvers<undefined>()];
  const result = resultOf(
    admitted,
    // The first server fails, the second one responds.
    () => (admitted.backend === pool.all[0] ? failing.promise : running.promise),
  );
  await pass(1000);
  failing.reject(new ApiError("upstream_overloaded", { retryable: true }));
  await pass(200);
  load.resolve(undefined);
  await pass(30);
  running.resolve(undefined);
  expect(await result).toBe("10.0.0.2:11434");
  const { heldMs, loadMs, queueMs } = admitted;
  expect({ heldMs, loadMs, queueMs }).toEqual({ heldMs: 1030, loadMs: 200, queueMs: 0 });
});
