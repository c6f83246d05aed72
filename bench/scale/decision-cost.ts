// Measures the cost of a decision, in a separate process: node bench/scale/decision-cost.ts BACKENDS WAITING
import { Consumer } from "../../gateway/src/auth/consumer.ts";
import { BackendPool } from "../../gateway/src/backends/backend-pool.ts";
import { readConfig } from "../../gateway/src/config/config.ts";
import type { OllamaClient } from "../../gateway/src/ollama/client.ts";
import { Scheduler } from "../../gateway/src/scheduling/scheduler.ts";

const [backends = 1, waiting = 0] = process.argv.slice(2).map(Number);
const SLOTS = 4;
const MODELS = 50;
const KEYS = 100;
const CYCLES = 4000;
const HOUR = "3600000";

const models = Array.from({ length: MODELS }, (_, index) => `model-${index}:latest`);
const present = models.map((name) => ({ name, digest: name }));
const config = readConfig({
  LLM_BACKENDS: Array.from({ length: backends }, (_, n) => `10.0.${n >> 8}.${n & 255}:11434*${SLOTS}`).join(),
  POLL_INTERVAL_MS: HOUR,
  QUEUE_LIMIT: "65535",
  QUEUE_TIMEOUT_MS: HOUR,
  LOADING_COMMENT_MS: HOUR,
});
let created = 0;
const pool = new BackendPool(config, () => {
  // Each server has three of the models loaded.
  const loaded = [0, 1, 2].map((n) => ({ name: models[(created + n) % MODELS] ?? "" }));
  created += 1;
  const client = {
    version: () => Promise.resolve("fake"),
    models: () => Promise.resolve(present),
    running: () => Promise.resolve({ models: loaded, now: 0 }),
    // Loads never end, because only the choice is measured.
    request: () => new Promise(() => undefined),
    close: () => Promise.resolve(),
  };
  return client as unknown as OllamaClient;
});
const scheduler = new Scheduler(pool, { length: 65_535, timeoutMs: 3_600_000, loadingCommentMs: 3_600_000 });
const consumers = Array.from({ length: KEYS }, (_, index) => new Consumer({ name: `key-${index}` }));

let requests = 0;
const ends: (() => void)[] = [];
/** Sends a request of the next key for the next model that is loaded on a server. */
function sendRequest(): void {
  const [model, consumer] = [models[requests % Math.min(MODELS, backends + 2)], consumers[requests % KEYS]];
  requests += 1;
  const body = { model, messages: [{ role: "user", content: `conversation ${requests}` }] };
  if (consumer === undefined) return;
  const admitted = scheduler.admit({ path: "/api/chat", body, subject: "messages", consumer });
  void admitted
    .run(() => new Promise<void>((resolve) => ends.push(resolve)))
    .finally(() => {
      admitted.leave();
    });
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

await settled();
await settled();
// With waiting requests, all slots are taken; otherwise half of them.
const running = waiting > 0 ? backends * SLOTS + waiting : Math.max(1, (backends * SLOTS) / 2);
for (let n = 0; n < running; n += 1) sendRequest();
await settled();
const batch = Math.min(50, ends.length);
const cycle = async (): Promise<void> => {
  for (const end of ends.splice(0, batch)) end();
  for (let n = 0; n < batch; n += 1) sendRequest();
  await settled();
};
for (let n = 0; n < CYCLES / 4; n += batch) await cycle();
const before = process.cpuUsage();
for (let n = 0; n < CYCLES; n += batch) await cycle();
const { user, system } = process.cpuUsage(before);
process.stdout.write(`${(user + system) / Math.ceil(CYCLES / batch) / batch}`);
process.exit(0);
