import { beforeAll, expect, test } from "vitest";
import { startFake, startGateway } from "../gateway/harness.ts";
import { pythonPackages, runPython } from "./python.ts";

// Here and not among the gateway's own tests because it needs Python, packages from the registry, and half a minute.

beforeAll(async () => {
  await pythonPackages();
});

test("the Python clients of OpenAI and Ollama work through the gateway", async () => {
  const { url } = await startGateway(await startFake());
  const text = "Hello there.";
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
