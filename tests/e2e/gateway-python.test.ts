import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { promisify } from "node:util";
import { beforeAll, expect, test } from "vitest";
import { artefact, keyOf } from "../../toolchain/cache.ts";
import { startFake, startGateway } from "../gateway/harness.ts";

// Here and not among the gateway's own tests because it needs Python, packages from the registry, and half a minute.

const run = promisify(execFile);
const here = `${import.meta.dirname}/python`;
const MIB = 1024 * 1024;
let packages: string;

beforeAll(async () => {
  const requirements = `${here}/requirements.txt`;
  const { stdout: version } = await run("python3", ["--version"]);
  packages = await artefact(
    "python-clients",
    keyOf([version, readFileSync(requirements)]),
    async (partial) => {
      await run("python3", ["-m", "pip", "install", "--quiet", "--target", partial, "-r", requirements]);
    },
  );
});

async function python(args: readonly string[], env: Record<string, string> = {}): Promise<string> {
  const { stdout } = await run("python3", args, {
    maxBuffer: 16 * MIB,
    env: { ...process.env, PYTHONPATH: `${packages}:${here}`, ...env },
  }).catch((failed: unknown) => {
    const { stdout: said, stderr } = failed as { stdout: string; stderr: string };
    throw new Error(`${said}\n${stderr}`);
  });
  return stdout;
}

test("the Python clients of OpenAI and Ollama work through the gateway", async () => {
  const { url } = await startGateway(await startFake());
  const text = "Hello there.";
  expect(JSON.parse(await python([`${here}/clients.py`, url]))).toEqual({
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
  const said = await python(
    [
      ...["-c", "from schemathesis.cli import schemathesis; schemathesis()", "run", `${url}/openapi.json`],
      ...["--checks", checks.join(","), "--phases", "coverage,fuzzing"],
      ...["--max-examples", "25", "--generation-deterministic", "--no-color"],
    ],
    { SCHEMATHESIS_HOOKS: "any_model" },
  );
  expect(said).toMatch(/Tested: \d{2}/);
});
