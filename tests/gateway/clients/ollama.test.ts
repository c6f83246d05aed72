import { Ollama } from "ollama";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { newKey } from "../../../gateway/src/auth/api-keys.ts";
import { last, token } from "../../../test-support/fakes/ollama/steps.ts";
import { hello, startFake, startGateway } from "../../../test-support/gateway/gateway-harness.ts";

async function start() {
  const fake = await startFake();
  const gateway = await startGateway(fake);
  return { fake, gateway, ollama: new Ollama({ host: gateway.url }) };
}

async function thrownBy(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
}

describe("the ollama client works through the gateway", () => {
  test("chat, buffered: returns Ollama's response with all its fields", async () => {
    const { fake, ollama } = await start();
    fake.respondWith(last({ message: { role: "assistant", content: "Hi", mood: "new" }, news: [1] }));
    const response = await ollama.chat({ ...hello, think: false, keep_alive: "1m", options: { top_k: 3 } });
    expect(response).toMatchObject({ message: { content: "Hi", mood: "new" }, news: [1], eval_count: 3 });
    expect((await fake.conversation()).body).toEqual({
      ...hello,
      stream: false,
      think: false,
      keep_alive: "1m",
      options: { top_k: 3 },
    });
  });

  test("chat, streamed: passes on each line and measures the request", async () => {
    const { gateway, ollama } = await start();
    const pieces: string[] = [];
    for await (const part of await ollama.chat({ ...hello, stream: true })) pieces.push(part.message.content);
    expect(pieces).toEqual(["Hello", " there", ".", ""]);
    expect(await gateway.requestLine("/api/chat")).toMatchObject({ model: "m", completion_tokens: 3 });
  });

  test("generate streams by default", async () => {
    const { gateway, ollama } = await start();
    expect((await ollama.generate({ model: "m", prompt: "Say" })).response).toBe("Hello there.");
    const response = await gateway.post("/api/generate", { model: "m", prompt: "Say" });
    expect(response.headers.get("content-type")).toBe("application/x-ndjson");
    expect((await response.text()).trim().split("\n")).toHaveLength(2);
  });

  test("embed, list, show, ps, version", async () => {
    const { ollama } = await start();
    expect((await ollama.embed({ model: "m", input: "Hi" })).embeddings).toEqual([[0.5, -0.25]]);
    expect((await ollama.list()).models.map((model) => model.name)).toEqual(["m:latest"]);
    expect((await ollama.show({ model: "m" })).details.family).toBe("fake");
    expect((await ollama.ps()).models).toMatchObject([{ name: "m:latest", context_length: 4096 }]);
    expect((await ollama.version()).version).toBe("0.17.4");
  });

  test("supports the first requests of the command line and a request that only loads the model", async () => {
    const { fake, gateway } = await start();
    expect((await fetch(gateway.url, { method: "HEAD" })).status).toBe(200);
    expect(await (await fetch(gateway.url)).text()).toBe("Ollama is running");
    const response = await gateway.post("/api/generate", { model: "m" });
    expect(await response.json()).toMatchObject({ done: true, done_reason: "load" });
    expect(fake.loads).toHaveLength(1);
  });

  test("returns errors in Ollama's format, before and during a response", async () => {
    const { fake, ollama } = await start();
    fake.respondWith({ status: 404, body: `{"error":"model 'm' not found"}` });
    expect(await thrownBy(ollama.chat({ ...hello }))).toMatchObject({
      status_code: 404,
      error: "The model 'm' does not exist.",
    });
    fake.respondWith(token("Hel"), { waitMs: 20 }, "cut");
    let text = "";
    const reading = (async () => {
      for await (const part of await ollama.chat({ ...hello, stream: true })) text += part.message.content;
    })();
    expect(String(await thrownBy(reading))).toContain("Ollama's response ended before it was complete.");
    expect(text).toBe("Hel");
  });

  test("rejects images if the model has no vision", async () => {
    const { fake, ollama } = await start();
    const requests = [
      ollama.generate({ model: "m", prompt: "Look", images: ["AAAA"] }),
      ollama.chat({ model: "m", messages: [{ role: "user", content: "Look", images: ["AAAA"] }] }),
    ];
    for (const each of requests) expect(await thrownBy(each)).toMatchObject({ status_code: 400 });
    expect(fake.received).toHaveLength(0);
  });

  test("a client that disconnects stops the work", async () => {
    const { fake, ollama } = await start();
    fake.respondWith(token("Hel"), "hang");
    const stream = await ollama.chat({ ...hello, stream: true });
    await stream[Symbol.asyncIterator]().next();
    stream.abort();
    expect(await (await fake.conversation()).brokenOff).toBe(true);
  });
});

describe("Ollama reads Model as model and uses the last one, so the gateway sends only one of them", () => {
  const body = {
    model: "m",
    messages: [{ role: "user", content: "Hi" }],
    prompt: "Hi",
    input: "Hi",
    stream: false,
  };
  test.each(["/api/chat", "/api/generate", "/api/embed", "/api/embeddings", "/api/show"])(
    "POST %s: another spelling does not give a key access to another model",
    async (path) => {
      const { key, line } = newKey("ada", ["models=m"]);
      const fake = await startFake();
      fake.models = ["m:latest", "secret:latest"];
      const gateway = await startGateway(fake, { API_KEYS: line });
      const headers = { "content-type": "application/json", authorization: `Bearer ${key}` };
      for (const spelling of ["Model", "MODEL", "modeL"]) {
        const response = await gateway.post(path, { ...body, [spelling]: "secret" }, { headers });
        expect([spelling, response.status]).toEqual([spelling, path === "/api/show" ? 404 : 403]);
      }
      // The old name only counts if the new one is missing.
      const older = await gateway.post(path, { ...body, Name: "secret" }, { headers });
      expect(older.status).toBe(200);
      const response = await gateway.post(path, { ...body, model: "secret", Model: "m" }, { headers });
      expect(response.status).toBe(200);
      for (const { text } of fake.received) expect(text).not.toMatch(/Model|secret"?,?"model/);
      expect((await gateway.post(path, { ...body, new_in_ollama: 1 }, { headers })).status).toBe(200);
    },
  );

  test("another spelling does not send images to a model without vision", async () => {
    const fake = await startFake();
    const gateway = await startGateway(fake);
    const messages = [{ role: "user", content: "Hi", Images: ["aGk="] }];
    const response = await gateway.post("/api/chat", { ...body, messages });
    expect(response.status).toBe(400);
    expect(await response.text()).toContain("cannot see images");
    expect(fake.received).toHaveLength(0);
  });
});

const digest = `sha256:${"0".repeat(64)}`;
const changes = [
  ["POST", "/api/pull"],
  ["POST", "/api/push"],
  ["POST", "/api/create"],
  ["POST", "/api/copy"],
  ["DELETE", "/api/delete"],
  ["POST", `/api/blobs/${digest}`],
  ["HEAD", `/api/blobs/${digest}`],
] as const;

describe("routes that change the server", () => {
  test.each(changes)(
    "rejects %s %s without a key and with a key without the admin flag",
    async (method, path) => {
      const fake = await startFake();
      const plain = newKey("ada", []);
      const open = await startGateway(fake);
      const keyed = await startGateway(fake, { API_KEYS: plain.line });
      const headers = { "content-type": "application/json", authorization: `Bearer ${plain.key}` };
      const body = method === "HEAD" ? null : '{"model":"m"}';
      for (const { url } of [open, keyed]) {
        const response = await fetch(url + path, { method, headers, body });
        expect(response.status).toBe(403);
        if (body !== null) {
          expect(await response.json()).toEqual({ error: expect.stringContaining("admin") as string });
        }
      }
      expect(fake.received).toHaveLength(0);
    },
  );

  test.each(changes)("passes on %s %s unchanged with an admin key", async (method, path) => {
    const fake = await startFake();
    const { key, line } = newKey("root", ["admin"]);
    const { url } = await startGateway(fake, { API_KEYS: line });
    fake.respondWith({ status: 202, body: method === "HEAD" ? "" : '{"status":"success"}\n' });
    const headers = { "content-type": "application/json", authorization: `Bearer ${key}` };
    const sent = method === "HEAD" ? undefined : { model: "n", source: "m", news: [1] };
    const response = await fetch(url + path, { method, headers, body: JSON.stringify(sent) });
    expect([response.status, await response.text()]).toEqual([202, sent ? '{"status":"success"}\n' : ""]);
    const { body, headers: received, ...request } = await fake.conversation();
    expect([request.method, request.path]).toEqual([method, path]);
    expect(body).toEqual(sent ?? "");
    expect(received.authorization).toBeUndefined();
  });

  test("passes on the progress of a pull with an admin key", async () => {
    const fake = await startFake();
    const { key, line } = newKey("root", ["admin"]);
    const { url } = await startGateway(fake, { API_KEYS: line });
    const ollama = new Ollama({ host: url, headers: { authorization: `Bearer ${key}` } });
    fake.respondWith({ line: { status: "pulling" } }, { waitMs: 20 }, { line: { status: "success" } });
    const statuses: string[] = [];
    for await (const { status } of await ollama.pull({ model: "n", stream: true })) statuses.push(status);
    expect(statuses).toEqual(["pulling", "success"]);
    expect(await fake.conversation()).toMatchObject({
      path: "/api/pull",
      body: { name: "n", stream: true },
    });
    fake.respondWith({ status: 404, body: '{"error":"no such model"}' });
    expect(await thrownBy(ollama.delete({ model: "n" }))).toMatchObject({ status_code: 404 });
    expect((await fake.conversation(1)).headers.authorization).toBeUndefined();
  });

  test("a pull may be silent longer than a response, as verifying a large model takes long", async () => {
    const fake = await startFake();
    const { key, line } = newKey("root", ["admin"]);
    const { url } = await startGateway(fake, { API_KEYS: line, IDLE_TIMEOUT_MS: "200" });
    const ollama = new Ollama({ host: url, headers: { authorization: `Bearer ${key}` } });
    fake.respondWith({ line: { status: "verifying" } }, { waitMs: 2500 }, { line: { status: "success" } });
    const statuses: string[] = [];
    for await (const { status } of await ollama.pull({ model: "n", stream: true })) statuses.push(status);
    expect(statuses).toEqual(["verifying", "success"]);
  });

  test("passes on a blob unchanged", async () => {
    const fake = await startFake();
    const { key, line } = newKey("root", ["admin"]);
    const { url } = await startGateway(fake, { API_KEYS: line });
    fake.respondWith({ status: 201, body: "" });
    const headers = { "content-type": "application/octet-stream", "x-api-key": key };
    const response = await fetch(`${url}/api/blobs/${digest}`, { method: "POST", headers, body: "bytes" });
    expect(response.status).toBe(201);
    expect(await fake.conversation()).toMatchObject({ path: `/api/blobs/${digest}`, body: "bytes" });
  });

  test("sets no content type for an empty response of Ollama", async () => {
    const { key, line } = newKey("root", ["admin"]);
    const { url } = await startGateway(await startFake(), { API_KEYS: line });
    const headers = { "content-type": "application/json", "x-api-key": key };
    for (const [method, path] of [
      ["POST", "/api/copy"],
      ["DELETE", "/api/delete"],
    ] as const) {
      const response = await fetch(url + path, { method, headers, body: '{"model":"m"}' });
      expect([response.status, response.headers.get("content-type")]).toEqual([200, null]);
      expect(await response.text()).toBe("");
    }
  });

  test("a blob may take longer than the request timeout", async () => {
    const fake = await startFake();
    const { key, line } = newKey("root", ["admin"]);
    const { url } = await startGateway(fake, { API_KEYS: line, REQUEST_TIMEOUT_MS: "1000" });
    fake.respondWith({ status: 201, body: "" });
    const upload = async () => {
      const begun = performance.now();
      let latest = begun;
      let longestPause = 0;
      const body = new ReadableStream<Uint8Array>({
        async pull(controller) {
          await sleep(20);
          const now = performance.now();
          longestPause = Math.max(longestPause, now - latest);
          latest = now;
          if (now - begun > 2500) controller.close();
          else controller.enqueue(Buffer.from("x"));
        },
      });
      const headers = { "content-type": "application/octet-stream", "x-api-key": key };
      const response = await fetch(`${url}/api/blobs/${digest}`, {
        method: "POST",
        headers,
        duplex: "half",
        body,
      });
      return { status: response.status, longestPause };
    };
    let result = await upload();
    // Repeats an upload that paused because the machine was busy; broken-uploads.test.ts covers rejected pauses.
    while (result.longestPause > 500) result = await upload();
    expect(result.status).toBe(201);
  }, 60_000);

  test("are rejected if there are several servers", async () => {
    const { key, line } = newKey("root", ["admin"]);
    const { port } = await startFake();
    const { url } = await startGateway(
      { port },
      { API_KEYS: line, LLM_BACKENDS: `127.0.0.1:${port},localhost:${port}` },
    );
    const ollama = new Ollama({ host: url, headers: { authorization: `Bearer ${key}` } });
    expect(await thrownBy(ollama.pull({ model: "n" }))).toMatchObject({ status_code: 409 });
  });
});
