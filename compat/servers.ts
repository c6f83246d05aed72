import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { existsSync, mkdtempSync, openSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { VariableName } from "../gateway/src/config/config.ts";
import { SetupError } from "../host/exec.ts";
import { freePort } from "../host/free-port.ts";
import { partBinary, parts } from "../toolchain/binaries.ts";
import type { Endpoint } from "./client.ts";
import { templates } from "./model/template.ts";
import { scriptedModel } from "./model/weights.ts";

const READY_WITHIN_MS = 60_000;
const CONTEXT = "65536";

export const models = { model: "scripted:latest", plainModel: "scripted-plain:latest" } as const;

export interface Servers {
  readonly ollama: Endpoint & { readonly version: string };
  readonly gateway: Endpoint;
  stop(): Promise<void>;
}

/** The Ollama program of the tool chain if it was built, otherwise the installed one. */
export function defaultOllama(): string {
  const built = partBinary(parts.ollama);
  return existsSync(built) ? built : "ollama";
}

/** Starts Ollama with the scripted model, and the gateway in front of it, as processes on free ports. */
export async function startServers(ollamaProgram: string): Promise<Servers> {
  const folder = mkdtempSync(join(tmpdir(), "ollama-stack-compat-"));
  const started: ChildProcess[] = [];
  const stop = async () => {
    await Promise.all(started.map(terminate));
    rmSync(folder, { recursive: true, force: true });
  };
  const start = async (name: string, command: readonly string[], env: NodeJS.ProcessEnv, ready: string) => {
    const log = join(folder, `${name}.log`);
    const output = openSync(log, "a");
    const [program = "", ...args] = command;
    const child = spawn(program, args, { env, stdio: ["ignore", output, output] });
    started.push(child);
    // Not SIGKILL, so that Ollama can stop its runners.
    process.once("exit", () => child.kill("SIGTERM"));
    let failure: Error | undefined;
    child.once("error", (error) => (failure = error));
    const until = Date.now() + READY_WITHIN_MS;
    while ((await fetch(ready).catch(() => undefined))?.status !== 200) {
      if (failure !== undefined || child.exitCode !== null || Date.now() > until)
        throw new SetupError(`${command.join(" ")} does not start: ${failure?.message ?? `see ${log}`}`);
      await sleep(50);
    }
  };
  try {
    const [ollamaPort, gatewayPort] = [await freePort(), await freePort()];
    const ollamaUrl = `http://127.0.0.1:${ollamaPort}`;
    await start(
      "ollama",
      [ollamaProgram, "serve"],
      {
        ...process.env,
        HOME: folder,
        OLLAMA_HOST: `127.0.0.1:${ollamaPort}`,
        OLLAMA_MODELS: join(folder, "models"),
        OLLAMA_CONTEXT_LENGTH: CONTEXT,
        OLLAMA_NUM_PARALLEL: "1",
      },
      `${ollamaUrl}/api/version`,
    );
    await createModels(ollamaUrl);
    const gatewayUrl = `http://127.0.0.1:${gatewayPort}`;
    const variables = {
      HOST: "127.0.0.1",
      PORT: `${gatewayPort}`,
      LLM_SERVICE_HOST_IP: "127.0.0.1",
      LLM_SERVICE_PORT: `${ollamaPort}`,
      LLM_MODEL_ID: models.model,
    } satisfies Partial<Record<VariableName, string>>;
    const server = join(import.meta.dirname, "..", "gateway", "src", "server.ts");
    await start(
      "gateway",
      [process.execPath, server],
      { PATH: process.env["PATH"], ...variables },
      `${gatewayUrl}/ready`,
    );
    const { version } = (await (await fetch(`${ollamaUrl}/api/version`)).json()) as { version: string };
    return {
      ollama: { url: ollamaUrl, version, ...models },
      gateway: { url: gatewayUrl, ...models },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function createModels(url: string): Promise<void> {
  for (const [model, hasAllCapabilities] of [
    [models.model, true],
    [models.plainModel, false],
  ] as const) {
    const file = scriptedModel({ hasVision: hasAllCapabilities });
    const digest = `sha256:${createHash("sha256").update(file).digest("hex")}`;
    await post(`${url}/api/blobs/${digest}`, new Uint8Array(file));
    await post(
      `${url}/api/create`,
      JSON.stringify({
        model,
        files: { "model.gguf": digest },
        template: hasAllCapabilities ? templates.thinking : templates.plain,
        parameters: { temperature: 0, repeat_penalty: 1, num_thread: 1 },
        stream: false,
      }),
    );
  }
}

async function post(url: string, body: string | Uint8Array<ArrayBuffer>): Promise<void> {
  const response = await fetch(url, { method: "POST", body });
  if (!response.ok) throw new Error(`POST ${url}: ${response.status} ${await response.text()}`);
}

async function terminate(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, "exit");
  child.kill("SIGTERM");
  const killTimer = setTimeout(() => child.kill("SIGKILL"), 10_000);
  await exit;
  clearTimeout(killTimer);
}
