import type { AddressInfo } from "node:net";
import OpenAI from "openai";
import { expect, onTestFinished } from "vitest";
import { buildApp } from "../../gateway/src/app.ts";
import { readConfig } from "../../gateway/src/config/config.ts";
import type { HandOverTimes } from "../../gateway/src/standby/standby.ts";
import { createLog } from "../../gateway/src/observability/log.ts";
import { FakeOllama } from "../fakes/ollama/fake-ollama.ts";
import type { Step } from "../fakes/ollama/steps.ts";

// Conditions come true within milliseconds, unless the machine is busy.
const TIMEOUT_MS = 45_000;

export type LogLine = Record<string, unknown>;

export interface TestGateway {
  readonly url: string;
  readonly port: number;
  readonly openai: OpenAI;
  /** All log lines as they were written. */
  readonly log: readonly string[];
  /** Waits for the log line of the n-th request to a route. */
  requestLine(route: string, n?: number): Promise<LogLine>;
  post(path: string, body: unknown, init?: RequestInit): Promise<Response>;
  /** Stops it before the test ends. */
  close(): Promise<void>;
}

export async function startFake(): Promise<FakeOllama> {
  const fake = await FakeOllama.start();
  onTestFinished(() => fake.stop());
  return fake;
}

/** Starts a gateway on a free port, in front of a fake or of a closed port. */
export async function startGateway(
  ollama: { readonly port: number },
  environment: Record<string, string> = {},
  handOver?: HandOverTimes,
): Promise<TestGateway> {
  const log: string[] = [];
  const stream = { write: (line: string) => void log.push(line) };
  const config = readConfig({
    LLM_SERVICE_PORT: `${ollama.port}`,
    LLM_MODEL_ID: "m",
    OLLAMA_NUM_PARALLEL: "16",
    LOG_LEVEL: "debug",
    // On a busy machine the first probe can be slow, and the first request would get 503.
    PROBE_TIMEOUT_MS: "20000",
    ...environment,
  });
  const app = buildApp(config, createLog(config.LOG_LEVEL, stream), handOver);
  await app.listen({ host: "127.0.0.1", port: 0 });
  const { port } = app.server.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}`;
  const close = async () => {
    app.server.closeAllConnections();
    await app.close();
  };
  onTestFinished(close);
  return {
    close,
    url,
    port,
    log,
    openai: new OpenAI({ apiKey: "none", baseURL: `${url}/v1`, maxRetries: 0 }),
    requestLine: (route, n = 0) =>
      eventually(
        () =>
          log
            .map((line) => JSON.parse(line) as LogLine)
            .filter((line) => line["msg"] === "request" && line["route"] === route)[n],
      ),
    post: (path, body, init = {}) =>
      fetch(url + path, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: typeof body === "string" ? body : JSON.stringify(body),
        ...init,
      }),
  };
}

/** Frozen because files share it, and Ollama's client modifies its arguments. */
export const hello = Object.freeze({ model: "m", messages: [{ role: "user" as const, content: "Hi" }] });

export interface ErrorBody {
  readonly error: {
    readonly message: string;
    readonly type: string;
    readonly param: string | null;
    readonly code: string;
  };
}

export async function errorOf(response: Response): Promise<ErrorBody["error"]> {
  return ((await response.json()) as ErrorBody).error;
}

/**
 * Reads the data of each server-sent event of a stream, until it ends or breaks off.
 *
 * @param seen called with the data received so far
 */
export async function readEvents(
  response: Response,
  seen: (text: string) => void = () => undefined,
): Promise<{ data: string[]; brokenOff: boolean }> {
  let text = "";
  let brokenOff = false;
  const decoder = new TextDecoder();
  try {
    for await (const piece of response.body ?? []) {
      text += decoder.decode(piece as Uint8Array, { stream: true });
      seen(text);
    }
  } catch {
    brokenOff = true;
  }
  const data = text.split("\n\n").flatMap((event) => (event === "" ? [] : [event.replace(/^data: /, "")]));
  return { data, brokenOff };
}

/** A load that lasts until a waiting stream has received two comments, and the callback that must see the stream. */
export function loadOfTwoComments(): { readonly load: Step; readonly seen: (text: string) => void } {
  const { promise: until, resolve } = Promise.withResolvers<undefined>();
  const seen = (text: string): void => {
    if (text.split(": loading\n\n").length > 2) resolve(undefined);
  };
  return { load: { until }, seen };
}

/** Waits until the metrics contain a line. */
export async function metric(url: string, line: string, init: RequestInit = {}): Promise<void> {
  await expect
    .poll(async () => (await (await fetch(`${url}/metrics`, init)).text()).split("\n"), {
      interval: 5,
      timeout: TIMEOUT_MS,
    })
    .toContain(line);
}

/** Waits until the gateway reports that it is ready. */
export async function ready({ url }: Pick<TestGateway, "url">): Promise<void> {
  await expect
    .poll(async () => (await fetch(`${url}/ready`)).status, { interval: 5, timeout: TIMEOUT_MS })
    .toBe(200);
}

/** Polls until the callback returns a value. */
export async function eventually<T>(look: () => T | undefined, timeoutMs = TIMEOUT_MS): Promise<T> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const found = look();
    if (found !== undefined) return found;
    if (Date.now() > deadline) throw new Error("timed out waiting for a condition");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
