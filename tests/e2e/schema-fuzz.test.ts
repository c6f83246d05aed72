import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { scriptedModel } from "../../compat/model/weights.ts";
import { docker } from "../../engine/docker-cli.ts";
import { FATAL_CONSTRUCTS } from "../../test-support/json-schema/fatal-constructs.ts";
import { FATAL_OPTIONS } from "../../gateway/src/apis/common/fatal-options.ts";
import { runnerOptionsOf } from "../../gateway/src/ollama/runner-options.ts";
import type { StackOutputs } from "../../scripts/stack/outputs.ts";
import { Project } from "../../test-support/stack/project.ts";
import { type RandomSchema, randomSchemas } from "../../test-support/json-schema/random-schemas.ts";
import { schemaPatterns } from "../../test-support/json-schema/schema-patterns.ts";

// Some schemas crash Ollama's server or the model's runner, for every client. These go through the gateway to the real
// Ollama: those that crashed it before, every pattern that libraries generate, and random ones.
const RANDOM_SCHEMAS = 1000;
const SEED = 11;
// Ollama compares every token of the vocabulary with the grammar, which takes 0.2 to 20 s with the 49,152 of smollm2.
// Most random schemas go to a model whose tokens are bytes, which gets further into a grammar within milliseconds.
const BYTES_MODEL = "bytes:1";
// As many as Ollama processes at a time; more would wait in the gateway.
const CLIENTS = 2;

const project = new Project({ stack: "schemas", ollamaPort: 18268, gatewayPort: 18260 });
let outputs: StackOutputs;
let model: string;
const folder = mkdtempSync(join(tmpdir(), "ollama-stack-bytes-"));

beforeAll(async () => {
  await project.pulumi("stack", "init", project.stack);
  const [first] = project.configured("models") as object[];
  const source = join(folder, "bytes.gguf");
  writeFileSync(source, scriptedModel({ hasVision: false }));
  // Several threads would wait for each other at every step while other tests use the cores.
  const each = { keepLoaded: true, parameters: { num_thread: 1 } };
  project.configure({
    models: [
      { ...first, ...each },
      { name: BYTES_MODEL, source, ...each },
    ],
  });
  await project.pulumi("up", "--yes", "--skip-preview");
  outputs = await project.outputs();
  model = outputs.installedModels[0]?.model ?? "";
});
afterAll(() => {
  project.discard();
  rmSync(folder, { recursive: true });
});

/** What changes when Ollama or a runner crashes: the container's starts and the runners' processes. */
async function readProcesses(): Promise<{ readonly started: string; readonly runners: readonly string[] }> {
  const { ollama } = outputs.containers;
  const format = "{{.RestartCount}} {{.State.StartedAt}} {{.State.Pid}}";
  const started = (await docker(["container", "inspect", "--format", format, ollama])).trim();
  const list = await docker(["container", "top", ollama, "-eo", "pid,args"]);
  const runners = list.split("\n").filter((line) => line.includes("ollama runner"));
  return { started, runners };
}

/** Waits for the runner of each model. */
async function waitUntilBothLoaded(): Promise<void> {
  await expect.poll(async () => (await readProcesses()).runners.length).toBe(2);
}

type Request = readonly [path: string, body: object];

const messages = [{ role: "user", content: "x" }];
const tools = (schema: RandomSchema) => [{ type: "function", function: { name: "f", parameters: schema } }];

/** Requests with a schema to the other APIs; all others go to /api/generate, where the prompt is one token. */
const routes: readonly ((schema: RandomSchema, tokens: number) => Request)[] = [
  (schema, tokens) => [
    "/v1/chat/completions",
    {
      messages,
      max_completion_tokens: tokens,
      response_format: { type: "json_schema", json_schema: { name: "n", schema } },
    },
  ],
  (schema, tokens) => [
    "/v1/chat/completions",
    { messages, max_completion_tokens: tokens, tools: tools(schema), tool_choice: "required" },
  ],
  (schema, tokens) => [
    "/v1/responses",
    { input: "x", max_output_tokens: tokens, text: { format: { type: "json_schema", name: "n", schema } } },
  ],
  (schema, tokens) => [
    "/v1/messages",
    { messages, max_tokens: tokens, output_config: { format: { type: "json_schema", schema } } },
  ],
];

/** A request to the larger model; every tenth one uses the next of the routes. */
function requestWith(schema: RandomSchema, index: number): Request {
  // Every 16th request generates enough tokens to reach the end of the grammar.
  const tokens = index % 16 === 0 ? 24 : 2;
  const route = index % 10 === 0 ? routes[(index / 10) % routes.length] : undefined;
  if (route !== undefined) return route(schema, tokens);
  const options = { num_predict: tokens, temperature: 1, seed: index };
  return ["/api/generate", { prompt: "x", raw: true, stream: false, format: schema, options }];
}

/** A request to the model of bytes, at a temperature that makes every token likely. */
function bytesRequestWith(schema: RandomSchema, seed: number): Request {
  const options = { num_predict: 24, temperature: 1000, seed };
  const body = { model: BYTES_MODEL, prompt: "x", raw: true, stream: false, format: schema, options };
  return ["/api/generate", body];
}

async function send([path, body]: Request): Promise<{ readonly status: number; readonly text: string }> {
  const response = await fetch(`${outputs.gatewayUrl}${path}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ model, ...body }),
  });
  return { status: response.status, text: await response.text() };
}

test("random schemas, and all known to crash Ollama, do not crash any of its processes", async () => {
  const known: readonly RandomSchema[] = [
    ...FATAL_CONSTRUCTS.map(({ example }) => example),
    ...schemaPatterns.map((pattern) => ({ type: "string", pattern })),
  ];
  const random = randomSchemas(SEED, RANDOM_SCHEMAS);
  const requests = [
    ...known.map(requestWith),
    // Every 40th one goes to the larger model, by each of the routes in turn.
    ...random.map((schema, index) =>
      index % 40 === 0 ? requestWith(schema, index / 4) : bytesRequestWith(schema, index),
    ),
  ];
  await waitUntilBothLoaded();
  const before = await readProcesses();

  const statuses = new Map<number, number>();
  const failures: string[] = [];
  const remaining = requests.values();
  const client = async (): Promise<void> => {
    for (const request of remaining) {
      const { status, text } = await send(request);
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
      if (status !== 200 && status !== 400) failures.push(`${status} ${text} for ${JSON.stringify(request)}`);
    }
  };
  await Promise.all(Array.from({ length: CLIENTS }, client));

  expect(failures).toEqual([]);
  expect(statuses.get(200)).toBeGreaterThan(requests.length / 2);
  expect(await readProcesses()).toEqual(before);
});

test("rejects options that crash the model's runner, and accepts those within bounds without a crash", async () => {
  await waitUntilBothLoaded();
  const before = await readProcesses();
  const sendWith = ([name, value]: readonly [string, number]) => {
    const options = { num_predict: 4, [name]: value };
    return send(["/api/generate", { prompt: "x", raw: true, stream: false, options }]);
  };

  for (const [name, { fatal, allowed }] of Object.entries(FATAL_OPTIONS)) {
    for (const value of fatal) {
      expect((await sendWith([name, value])).status, `${name} ${String(value)}`).toBe(400);
    }
    // Other values of runner options load the model again, in a new runner.
    if (runnerOptionsOf({ [name]: 1 }) !== undefined) continue;
    for (const value of allowed) {
      const { status, text } = await sendWith([name, value]);
      expect(status, `${name} ${String(value)}: ${text}`).toBe(200);
    }
  }

  expect(await readProcesses()).toEqual(before);
});
