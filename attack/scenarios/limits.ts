import { docker } from "../../engine/docker-cli.ts";
import { BUDGET_TOKENS } from "../keys.ts";
import { forEachConcurrently, range, type Scenario } from "../scenario.ts";
import { logsSince } from "../stacks.ts";
import { type Reply, summarize, type Target } from "../target.ts";
import { request } from "undici";

/** Requests that would reload or unload the model for everyone, in the spellings that Ollama accepts. */
function evictions(model: string): readonly (readonly [path: string, body: object])[] {
  const messages = [{ role: "user", content: "Hi" }];
  const chat = { model, messages, max_tokens: 1 };
  const native = { model, messages, stream: false };
  const embed = { model, input: "Hi" };
  const runner = [
    { num_gpu: 0 },
    { num_thread: 2 },
    { num_batch: 7 },
    { main_gpu: 1 },
    { use_mmap: false },
    { num_ctx: 256 },
    { num_ctx: 131_072 },
  ];
  const keepAlives = [0, "0s", "1ms", "1s", -1, "9999h"];
  return [
    ...runner.flatMap((options) => [
      ["/v1/chat/completions", { ...chat, options }] as const,
      ["/v1/embeddings", { ...embed, options }] as const,
      ["/api/chat", { ...native, options: { ...options, num_predict: 1 } }] as const,
      ["/api/embed", { ...embed, options }] as const,
      ["/api/embeddings", { model, prompt: "Hi", options }] as const,
      ["/api/generate", { model, prompt: "Hi", stream: false, Options: options }] as const,
    ]),
    ...keepAlives.flatMap((keep_alive) => [
      ["/v1/chat/completions", { ...chat, keep_alive }] as const,
      ["/v1/completions", { model, prompt: "Hi", max_tokens: 1, keep_alive }] as const,
      ["/v1/responses", { model, input: "Hi", max_output_tokens: 16, keep_alive }] as const,
      ["/v1/messages", { ...chat, keep_alive }] as const,
      ["/v1/embeddings", { ...embed, keep_alive }] as const,
      ["/v1/example-service", { ...chat, stream: false, keep_alive }] as const,
      ["/api/generate", { model, keep_alive }] as const,
      ["/api/chat", { model, messages: [], keep_alive, stream: false }] as const,
      ["/api/embed", { ...embed, keep_alive }] as const,
      ["/api/embed", { model, input: [], keep_alive }] as const,
      ["/api/generate", { model, KEEP_ALIVE: keep_alive }] as const,
    ]),
    ["/v1/chat/completions", { ...chat, num_ctx: 256 }],
    ["/v1/completions", { model, prompt: "Hi", max_tokens: 1, num_ctx: 8192 }],
    ["/v1/messages", { ...chat, num_ctx: 1 }],
  ];
}

/** The models that the Ollama server of the stack without an edge has loaded. */
async function loadedModels(
  direct: Target,
): Promise<readonly { name: string; context_length: number; expires_at: string }[]> {
  const port = direct.deployment.project.configured("ollamaPort");
  const response = await request(`http://127.0.0.1:${String(port)}/api/ps`);
  const { models } = (await response.body.json()) as {
    models: { name: string; context_length: number; expires_at: string }[];
  };
  return models;
}

function tokensOf({ status, text }: Reply): number {
  if (status !== 200) return 0;
  return (JSON.parse(text) as { usage?: { total_tokens?: number } }).usage?.total_tokens ?? 0;
}

/** Aborts a stream after some chunks. Returns the status and the number of chunks received. */
async function abortStream(
  target: Target,
  key: string,
  chunks: number,
): Promise<{ status: number; read: number }> {
  const abort = new AbortController();
  const messages = [{ role: "user", content: "Count from 1 to 1000: 1, 2, 3, 4, 5, 6, 7, 8, 9," }];
  const { statusCode, body } = await request(`${target.url}/v1/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${key}` },
    body: JSON.stringify({ model: target.model, messages, stream: true, max_tokens: 300, temperature: 0 }),
    signal: abort.signal,
  });
  let read = 0;
  try {
    for await (const piece of body) {
      read += String(piece).split("data: ").length - 1;
      if (statusCode === 200 && read >= chunks) abort.abort();
    }
  } catch (error) {
    if (!abort.signal.aborted) throw error;
  }
  return { status: statusCode, read };
}

export const limits: readonly Scenario[] = [
  {
    section: 6,
    name: `20 concurrent requests with a key limited to ${BUDGET_TOKENS} tokens a minute`,
    expected: "about its allowance in total, then 429",
    run: async ({ edge, countTries, reportProblem }) => {
      const key = edge.deployment.keys.budget();
      let spent = 0;
      await forEachConcurrently(range(20), 20, async () => {
        const reply = await edge.chat({ max_tokens: 100 }, { key });
        countTries();
        spent += tokensOf(reply);
        if (reply.status !== 200 && reply.status !== 429) reportProblem(summarize(reply));
      });
      if (spent > 2 * BUDGET_TOKENS)
        reportProblem(`20 concurrent requests spent ${spent} tokens of ${BUDGET_TOKENS}`);
      if (spent === 0) reportProblem("no request with the key succeeded");
    },
  },
  {
    section: 6,
    name: `streams aborted midway with a key limited to ${BUDGET_TOKENS} tokens a minute`,
    expected: "charged for what was read, then 429",
    run: async ({ direct, countTries, reportProblem }) => {
      const key = direct.key(direct.deployment.keys.budget());
      let read = 0;
      let isThrottled = false;
      for (let stream = 0; stream < 14 && !isThrottled; stream += 1) {
        const aborted = await abortStream(direct, key, 30);
        countTries();
        isThrottled = aborted.status === 429;
        if (aborted.status === 200) read += aborted.read;
        else if (!isThrottled) reportProblem(`a stream got ${aborted.status}`);
      }
      // The allowance refills during the streams, and the last one may exceed it.
      if (!isThrottled) reportProblem(`${read} tokens were read from aborted streams without a 429`);
    },
  },
  {
    section: 6,
    name: "contexts, keep_alive values and runner options that would reload the model, with an ordinary key",
    expected: "200 or 4xx, the model stays loaded unchanged",
    run: async ({ direct, edge, random, round, countTries, reportProblem }) => {
      const target = round % 2 === 0 ? direct : edge;
      const before = await loadedModels(direct);
      const all = random.sample(evictions(target.model), 40);
      await forEachConcurrently(all, 4, async ([path, body]) => {
        const reply = await target.send(path, { body });
        countTries();
        if (reply.status !== 200 && (reply.status < 400 || reply.status > 499))
          reportProblem(`${path} ${JSON.stringify(body)}: ${summarize(reply)}`);
      });
      const after = await loadedModels(direct);
      const contextOf = (models: typeof before) =>
        models.find(({ name }) => name === direct.model)?.context_length;
      if (contextOf(before) !== contextOf(after))
        reportProblem(
          `the context of the model was ${contextOf(before)} and is ${contextOf(after) ?? "not loaded"}`,
        );
      const expiry = Date.parse(after.find(({ name }) => name === direct.model)?.expires_at ?? "");
      if (!(expiry > Date.now() + 3_600_000))
        reportProblem(`the model would now be unloaded at ${new Date(expiry).toISOString()}`);
    },
  },
  {
    section: 6,
    name: "/ready and /health without a key, 600 times",
    expected: "no model names, hardly any requests to Ollama",
    run: async ({ direct, countTries, reportProblem }) => {
      const since = new Date();
      const began = performance.now();
      await forEachConcurrently(range(600), 20, async (index) => {
        const path = index % 3 === 0 ? "/health" : "/ready";
        const reply = await direct.send(path, { key: "none" });
        countTries();
        if (reply.status !== 200) reportProblem(`${path}: ${summarize(reply)}`);
        if (reply.text.includes(direct.model)) reportProblem(`${path} names a model: ${summarize(reply)}`);
      });
      const seconds = Math.ceil((performance.now() - began) / 1000);
      const log = await logsSince(direct.deployment.containers.ollamas[0] ?? "", since);
      const lists = log.match(/GET +"\/api\/tags"/g)?.length ?? 0;
      // One a second, the gateway's own probe every 3 s, and the container's health check.
      if (lists > 3 * seconds + 10)
        reportProblem(`400 requests for /ready in ${seconds} s made Ollama list its models ${lists} times`);
    },
  },
  {
    section: 6,
    name: "/metrics, /v1/statistics and lists with an ordinary key, and without one",
    expected: "401 without a key; nothing about other keys",
    run: async ({ direct, edge, countTries, reportProblem }) => {
      for (const target of [direct, edge]) {
        await target.chat({}, { key: "bystander" });
        for (const path of ["/metrics", "/v1/statistics", "/v1/models", "/api/ps", "/openapi.json"]) {
          const own = await target.send(path);
          const none = await target.send(path, { key: "none" });
          countTries(2);
          if (none.status !== 401) reportProblem(`${path} without a key: ${summarize(none)}`);
          for (const name of ["bystander", "innocent", "embedOnly"])
            if (own.text.includes(name)) reportProblem(`${path} shows the key ${name} to an ordinary key`);
        }
      }
    },
  },
  {
    section: 6,
    name: "100 embeddings and 15 lookups with a key limited to 10 requests a minute",
    expected: "429 or 400",
    run: async ({ direct, countTries, reportProblem }) => {
      const input = range(50).map((index) => `text ${index}`);
      for (const path of ["/v1/embeddings", "/api/embed"]) {
        const reply = await direct.send(path, { key: "few", body: { model: direct.model, input } });
        countTries();
        if (![400, 429].includes(reply.status)) reportProblem(`50 inputs at ${path}: ${summarize(reply)}`);
      }
      const replies = await lookUp(direct, 15);
      countTries(replies.length);
      if (!replies.some(({ status }) => status === 429)) reportProblem("15 lookups do not count as requests");
    },
  },
  {
    section: 6,
    name: "more inputs than one request may have, on both embedding routes",
    expected: "400",
    run: async ({ direct, countTries, reportProblem }) => {
      const input = range(2049).map(() => "a");
      for (const path of ["/v1/embeddings", "/api/embed"]) {
        const reply = await direct.send(path, { body: { model: direct.model, input } });
        countTries();
        if (reply.status !== 400) reportProblem(`${path}: ${summarize(reply)}`);
      }
    },
  },
  {
    section: 6,
    name: "models that Ollama would run in its cloud",
    expected: "4xx; the servers have OLLAMA_NO_CLOUD",
    run: async ({ direct, edge, countTries, reportProblem }) => {
      for (const model of ["gpt-oss:120b-cloud", "qwen3-coder:480b-cloud", "a:cloud"]) {
        const reply = await edge.chat({ model });
        countTries();
        if (reply.status < 400 || reply.status > 499) reportProblem(`${model}: ${summarize(reply)}`);
      }
      for (const ollama of [...direct.deployment.containers.ollamas, ...edge.deployment.containers.ollamas]) {
        const environment = await docker([
          "container",
          "inspect",
          "--format",
          "{{json .Config.Env}}",
          ollama,
        ]);
        if (!/"OLLAMA_NO_CLOUD=(1|true)"/.test(environment))
          reportProblem(`${ollama} has no OLLAMA_NO_CLOUD`);
      }
    },
  },
];

async function lookUp(target: Target, times: number): Promise<readonly Reply[]> {
  const replies: Reply[] = [];
  for (let sent = 0; sent < times; sent += 1) replies.push(await target.send("/v1/models", { key: "few" }));
  return replies;
}
