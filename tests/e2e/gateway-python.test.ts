import { beforeAll, expect, test } from "vitest";
import type { OllamaChatRequest } from "../../gateway/src/ollama/types.ts";
import { last, type Step, token } from "../gateway/fake-ollama.ts";
import { startFake, startGateway } from "../gateway/harness.ts";
import { pythonPackages, runPython } from "./python.ts";

// Here and not among the gateway's own tests because it needs Python, packages from the registry, and half a minute.

beforeAll(async () => {
  await pythonPackages();
});

test("the Python clients of OpenAI and Ollama work through the gateway", async () => {
  const fake = await startFake();
  fake.answersEach(judgementOrCall);
  const { url } = await startGateway(fake);
  const text = "Hello there.";
  const tool = {
    name: "SetUnit",
    unit: "celsius",
    reasons: ["tool_calls", "stop"],
    answer: text,
    "called again": 0,
  };
  const helpers = { parsed: { polite: true }, tool };
  expect(JSON.parse(await runPython(["clients.py", url]))).toEqual({
    openai: {
      whole: text,
      streamed: ["", "Hello", " there", ".", null],
      usage: 14,
      response: text,
      completion: text,
      embedding: [0.5, -0.25],
      models: ["m:latest"],
      error: "model_not_found",
      helpers: { whole: helpers, streamed: helpers },
    },
    ollama: {
      whole: text,
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

/** What a model says that is held to a form, or has a tool and no result of it yet; else it says what it always does. */
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

test("Schemathesis finds no failure of the gateway's own, and no answer that the document does not describe", async () => {
  const { url } = await startGateway(await startFake());
  const checks = [
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
  ];
  const said = await runPython(
    [
      ...["-c", "from schemathesis.cli import schemathesis; schemathesis()", "run", `${url}/openapi.json`],
      ...["--checks", checks.join(","), "--phases", "coverage,fuzzing"],
      ...["--max-examples", "25", "--generation-deterministic", "--no-color"],
    ],
    { SCHEMATHESIS_HOOKS: "any_model" },
  );
  expect(said).toMatch(/Tested: \d{2}/);
});
