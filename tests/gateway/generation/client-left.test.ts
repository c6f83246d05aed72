import { once } from "node:events";
import { request } from "node:http";
import { describe, expect, test, vi } from "vitest";
import type { Abortable } from "../../../gateway/src/lib/abortable.ts";
import { ApiError } from "../../../gateway/src/errors.ts";
import { GenerateStream } from "../../../gateway/src/ollama/generate-stream.ts";
import { token } from "../../../test-support/fakes/ollama/steps.ts";
import { hello, startFake, startGateway } from "../../../test-support/gateway/gateway-harness.ts";

type Writable<T> = { -readonly [Key in keyof T]: T[Key] };

const streamed = { ...hello, stream: true };
const chat = "/v1/chat/completions";

describe("a client that disconnects stops the work in Ollama", () => {
  test.each([
    ["waiting for a buffered response", hello],
    ["waiting for the first token of a stream", streamed],
  ])("while %s", async (_when, body) => {
    const fake = await startFake();
    fake.respondWith("hang");
    const gateway = await startGateway(fake);
    const client = new AbortController();
    const response = gateway.post(chat, body, { signal: client.signal });
    const conversation = await fake.conversation();
    client.abort();
    await expect(response).rejects.toThrow();
    expect(await conversation.brokenOff).toBe(true);
    expect(await gateway.requestLine(chat)).toMatchObject({ status: 499, error: "client_left" });
  });

  test("in the middle of a stream", async () => {
    const fake = await startFake();
    fake.respondWith(token("Hel"), "hang");
    const gateway = await startGateway(fake);
    const client = new AbortController();
    const response = await gateway.post(chat, streamed, { signal: client.signal });
    expect(response.status).toBe(200);
    client.abort();
    expect(await (await fake.conversation()).brokenOff).toBe(true);
    expect(await gateway.requestLine(chat)).toMatchObject({ status: 200, error: "client_left" });
  });

  test("by resetting the connection", async () => {
    const fake = await startFake();
    fake.respondWith(token("Hel"), "hang");
    const gateway = await startGateway(fake);
    const client = request(gateway.url + chat, {
      method: "POST",
      headers: { "content-type": "application/json" },
    });
    client.on("error", () => undefined);
    client.end(JSON.stringify(streamed));
    await once(client, "response");
    (client.socket as { resetAndDestroy(): void } | null)?.resetAndDestroy();
    expect(await (await fake.conversation()).brokenOff).toBe(true);
  });

  test("while the gateway connects to Ollama: the request is never sent", async () => {
    const reason = new ApiError("client_left");
    const abortable = { abortReason: undefined, activeOperation: undefined } as Writable<Abortable<ApiError>>;
    const { promise, resolve } = Promise.withResolvers<ApiError | undefined>();
    const stream = new GenerateStream({
      maxBytes: Infinity,
      model: "m",
      reader: { onEvent: () => undefined },
      abortable,
      timeouts: { noResponse: "first_token_timeout", stalled: "idle_timeout" },
      onSettled: resolve,
    });
    abortable.abortReason = reason;
    abortable.activeOperation?.abort(reason);
    expect((await promise)?.code).toBe("client_left");
    const abort = vi.fn();
    stream.onRequestStart({
      abort,
      pause: vi.fn(),
      resume: vi.fn(),
      aborted: false,
      paused: false,
      reason: null,
    });
    expect(abort).toHaveBeenCalledOnce();
  });
});

test("clients that disconnect free their slots", async () => {
  const fake = await startFake();
  fake.respondWith("hang");
  const gateway = await startGateway(fake, { OLLAMA_NUM_PARALLEL: "2" });
  for (let n = 0; n < 6; n += 1) {
    const client = new AbortController();
    const response = gateway.post(chat, n % 2 === 0 ? hello : streamed, { signal: client.signal });
    const conversation = await fake.conversation(n);
    client.abort();
    await expect(response).rejects.toThrow();
    expect(await conversation.brokenOff).toBe(true);
  }
  const metrics = await fetch(`${gateway.url}/metrics`);
  expect(await metrics.text()).toContain("gateway_requests_in_flight 0\n");
});
