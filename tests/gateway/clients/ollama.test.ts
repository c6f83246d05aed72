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
  test("chat, whole: the answer is Ollama's own, to the last field", async () => {
    const { fake, ollama } = await start();
    fake.respondWith(last({ message: { role: "assistant", content: "Hi", mood: "new" }, news: [1] }));
    const answer = await ollama.chat({ ...hello, think: false, keep_alive: "1m", options: { top_k: 3 } });
    expect(answer).toMatchObject({ message: { content: "Hi", mood: "new" }, news: [1], eval_count: 3 });
    expect((await fake.conversation()).body).toEqual({
      ...hello,
      stream: false,
      think: false,
      keep_alive: "1m",
      options: { top_k: 3 },
    });
  });

  test("chat, streamed: each line as it came, and the request is measured as any other", async () => {
    const { gateway, ollama } = await start();
    const pieces: string[] = [];
    for await (const part of await ollama.chat({ ...hello, stream: true })) pieces.push(part.message.content);
    expect(pieces).toEqual(["Hello", " there", ".", ""]);
    expect(await gateway.requestLine("/api/chat")).toMatchObject({ model: "m", completion_tokens: 3 });
  });

  test("generate, which streams unless told otherwise", async () => {
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

  test("what the command line asks first, and a request that only loads the model", async () => {
    const { fake, gateway } = await start();
    expect((await fetch(gateway.url, { method: "HEAD" })).status).toBe(200);
    expect(await (await fetch(gateway.url)).text()).toBe("Ollama is running");
    const response = await gateway.post("/api/generate", { model: "m" });
    expect(await response.json()).toMatchObject({ done: true, done_reason: "load" });
    expect(fake.loads).toHaveLength(1);
  });

  test("errors have Ollama's form, before the answer and in its middle", async () => {
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

  test("images to a model that cannot see are refused here too", async () => {
    const { fake, ollama } = await start();
    const asked = [
      ollama.generate({ model: "m", prompt: "Look", images: ["AAAA"] }),
      ollama.chat({ model: "m", messages: [{ role: "user", content: "Look", images: ["AAAA"] }] }),
    ];
    for (const each of asked) expect(await thrownBy(each)).toMatchObject({ status_code: 400 });
    expect(fake.received).toHaveLength(0);
  });

  test("a client that leaves stops the work", async () => {
    const { fake, ollama } = await start();
    fake.respondWith(token("Hel"), "hang");
    const stream = await ollama.chat({ ...hello, stream: true });
    await stream[Symbol.asyncIterator]().next();
    stream.abort();
    expect(await (await fake.conversation()).brokenOff).toBe(true);
  });
});

describe("Ollama takes Model for model, and the last of them counts, so it gets the one spelling", () => {
  const body = {
    model: "m",
    messages: [{ role: "user", content: "Hi" }],
    prompt: "Hi",
    input: "Hi",
    stream: false,
  };
  test.each(["/api/chat", "/api/generate", "/api/embed", "/api/embeddings", "/api/show"])(
    "POST %s: a key cannot get at another model by it",
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
      // The older name counts only where the newer one is not there.
      const older = await gateway.post(path, { ...body, Name: "secret" }, { headers });
      expect(older.status).toBe(200);
      const response = await gateway.post(path, { ...body, model: "secret", Model: "m" }, { headers });
      expect(response.status).toBe(200);
      for (const { text } of fake.received) expect(text).not.toMatch(/Model|secret"?,?"model/);
      expect((await gateway.post(path, { ...body, new_in_ollama: 1 }, { headers })).status).toBe(200);
    },
  );

  test("nor can images be shown to a model that cannot see", async () => {
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
    "%s %s is closed without a key, and to a key without the admin flag",
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

  test.each(changes)(
    "%s %s is opened by an admin's key, and arrives as it was sent",
    async (method, path) => {
      const fake = await startFake();
      const { key, line } = newKey("root", ["admin"]);
      const { url } = await startGateway(fake, { API_KEYS: line });
      fake.respondWith({ status: 202, body: method === "HEAD" ? "" : '{"status":"success"}\n' });
      const headers = { "content-type": "application/json", authorization: `Bearer ${key}` };
      const sent = method === "HEAD" ? undefined : { model: "n", source: "m", news: [1] };
      const response = await fetch(url + path, { method, headers, body: JSON.stringify(sent) });
      expect([response.status, await response.text()]).toEqual([202, sent ? '{"status":"success"}\n' : ""]);
      const { body, headers: received, ...asked } = await fake.conversation();
      expect([asked.method, asked.path]).toEqual([method, path]);
      expect(body).toEqual(sent ?? "");
      expect(received.authorization).toBeUndefined();
    },
  );

  test("an admin's key opens them; progress is passed on as it comes", async () => {
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

  test("a pull may be silent longer than an answer: a large model is checked without a word", async () => {
    const fake = await startFake();
    const { key, line } = newKey("root", ["admin"]);
    const { url } = await startGateway(fake, { API_KEYS: line, IDLE_TIMEOUT_MS: "200" });
    const ollama = new Ollama({ host: url, headers: { authorization: `Bearer ${key}` } });
    fake.respondWith({ line: { status: "verifying" } }, { waitMs: 2500 }, { line: { status: "success" } });
    const statuses: string[] = [];
    for await (const { status } of await ollama.pull({ model: "n", stream: true })) statuses.push(status);
    expect(statuses).toEqual(["verifying", "success"]);
  });

  test("a blob arrives as it was sent", async () => {
    const fake = await startFake();
    const { key, line } = newKey("root", ["admin"]);
    const { url } = await startGateway(fake, { API_KEYS: line });
    fake.respondWith({ status: 201, body: "" });
    const headers = { "content-type": "application/octet-stream", "x-api-key": key };
    const response = await fetch(`${url}/api/blobs/${digest}`, { method: "POST", headers, body: "bytes" });
    expect(response.status).toBe(201);
    expect(await fake.conversation()).toMatchObject({ path: `/api/blobs/${digest}`, body: "bytes" });
  });

  test("what Ollama answers without content is not said to be JSON", async () => {
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

  test("a blob may take longer than a request", async () => {
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
    // On a machine too busy to send in time, it did fall silent. (One that does so is refused: broken-uploads.test.ts.)
    while (result.longestPause > 500) result = await upload();
    expect(result.status).toBe(201);
  }, 60_000);

  test("stay closed where it would not be said which of several servers is meant", async () => {
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
