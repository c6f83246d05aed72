import { beforeAll, expect, test } from "vitest";
import type { OllamaChatRequest } from "../../gateway/src/ollama/types.ts";
import { last, type Step, token } from "../../test-support/fakes/ollama/steps.ts";
import { newKey } from "../../gateway/src/auth/api-keys.ts";
import { type LogLine, startFake, startGateway } from "../../test-support/gateway/gateway-harness.ts";
import { pythonPackages, runPython } from "./python.ts";

// Not one of the gateway's own tests, because it needs Python, packages from the registry, and half a minute.

beforeAll(async () => {
  await pythonPackages();
});

test("the Python clients of OpenAI and Ollama work through the gateway", async () => {
  const fake = await startFake();
  fake.respondTo(judgementOrCall);
  const { url } = await startGateway(fake);
  const text = "Hello there.";
  const tool = {
    name: "SetUnit",
    unit: "celsius",
    reasons: ["tool_calls", "stop"],
    content: text,
    calls: 0,
  };
  const helpers = { parsed: { polite: true }, tool };
  expect(JSON.parse(await runPython(["clients.py", url]))).toEqual({
    openai: {
      buffered: text,
      streamed: ["", "Hello", " there", ".", null],
      usage: 14,
      response: text,
      completion: text,
      embedding: [0.5, -0.25],
      models: ["m:latest"],
      error: "model_not_found",
      helpers: { buffered: helpers, streamed: helpers },
    },
    ollama: {
      buffered: text,
      streamed: ["Hello", " there", ".", ""],
      generated: text,
      embedding: [0.5, -0.25],
      models: ["m:latest"],
      running: ["m:latest"],
      capabilities: ["completion", "tools"],
      error: 404,
    },
  });
});

/** A judgement if a format is requested, a tool call if a tool has no result yet; otherwise the default response. */
function judgementOrCall({ format, tools, messages, stream }: OllamaChatRequest): Step[] | undefined {
  if (format !== undefined) {
    const [head, tail] = ['{"polite":', " true}"];
    if (stream) return [token(head), token(tail), last()];
    return [last({ message: { role: "assistant", content: head + tail } })];
  }
  if (!tools?.length || messages.some(({ role }) => role === "tool")) return undefined;
  const call = { function: { name: "SetUnit", arguments: { unit: "celsius" } } };
  const message = { role: "assistant", content: "", tool_calls: [call] };
  return stream ? [{ line: { message, done: false } }, last()] : [last({ message })];
}

const checks = [
  "not_a_server_error",
  "status_code_conformance",
  "content_type_conformance",
  "response_schema_conformance",
];

/** The gateway's operations in two halves, for two processes that use one core each. */
const parts = { v1: ["--include-path-regex", "^/v1/"], others: ["--exclude-path-regex", "^/v1/"] };

/** Runs Schemathesis and returns its output. Rejects if it finds a failure. */
function runSchemathesis(args: readonly string[], environment: Record<string, string>): Promise<string> {
  return runPython(
    [
      ...["-c", "from schemathesis.cli import schemathesis; schemathesis()", "run", ...args],
      ...["--checks", checks.join(","), "--generation-deterministic", "--no-color"],
    ],
    environment,
  );
}

test("Schemathesis finds no failure of the gateway and no response that the OpenAPI document does not describe", async () => {
  const { url } = await startGateway(await startFake());
  const runPart = (part: readonly string[], examples: number) => {
    const args = [...part, "--phases", "coverage,fuzzing", "--max-examples", String(examples)];
    return runSchemathesis([`${url}/openapi.json`, ...args], { SCHEMATHESIS_HOOKS: "any_model" });
  };
  // Fewer outside /v1: with as many, that half took four times as long as the other one.
  const outputs = await Promise.all([runPart(parts.v1, 25), runPart(parts.others, 12)]);
  for (const output of outputs) expect(output).toMatch(/Tested: \d{2}/);
});

test("Schemathesis finds nothing with valid, invalid, exhausted and missing keys either", async () => {
  const fake = await startFake();
  const admin = newKey("root", ["admin"]);
  const limited = newKey("ada", ["requests=1"]);
  const open = await startGateway(fake);
  const keyed = await startGateway(fake, { API_KEYS: `${admin.line};${limited.line}` });
  const outputs = await Promise.all(
    Object.values(parts).map((part) =>
      runSchemathesis(
        [
          ...[`${open.url}/openapi.json`, "--url", keyed.url, ...part],
          ...["--phases", "fuzzing", "--max-examples", "12"],
        ],
        { SCHEMATHESIS_HOOKS: "any_key", ADMIN_KEY: admin.key, LIMITED_KEY: limited.key },
      ),
    ),
  );
  for (const output of outputs) expect(output).toMatch(/Tested: \d{2}/);
  // It reached each of these routes with each kind of key.
  const responses = keyed.log.flatMap((line) => {
    const { msg, route, status } = JSON.parse(line) as LogLine;
    return msg === "request" ? `${String(route)} ${String(status)}` : [];
  });
  for (const route of ["/v1/chat/completions", "/v1/messages", "/api/chat", "/api/pull"]) {
    for (const status of [200, 401, 429]) expect(responses).toContain(`${route} ${String(status)}`);
  }
});
