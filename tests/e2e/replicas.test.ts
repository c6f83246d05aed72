import { setTimeout as sleep } from "node:timers/promises";
import { fetch } from "undici";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { docker } from "../../engine/docker-cli.ts";
import { Project } from "../../test-support/stack/project.ts";
import { consoleHeaders } from "./console-headers.ts";
import { replacedSince } from "./container-ids.ts";
import { eventReader } from "./event-stream.ts";
import { type ContainerName, containers, ReplicatedStack } from "./replicated-stack.ts";
import { failureOf, firstLines } from "./under-load.ts";

const gatewayPort = 18471;
const project = new Project({ stack: "rolling", ollamaPort: 18470, gatewayPort });
const stack = new ReplicatedStack(project);
const { key, root } = stack;
const chat = stack.chat.bind(stack);
const nameOf = stack.nameOf.bind(stack);

function metrics(): Promise<string> {
  const headers = { authorization: `Bearer ${key}` };
  return fetch(`${root}/metrics`, { dispatcher: stack.trusting, headers }).then((response) =>
    response.text(),
  );
}

const logged = (since: string, ...which: ContainerName[]) =>
  Promise.all(
    which.map((each) => docker(["container", "logs", "--since", since, nameOf(each)], { merge: true })),
  ).then((logs) => logs.join(""));

beforeAll(async () => {
  await project.pulumi("stack", "init", project.stack);
  await stack.up();
});
afterAll(async () => {
  await stack.close();
  project.discard();
});

describe("two gateways and two Ollama servers behind an edge", () => {
  it("respond only through the edge, with TLS by its own authority", async () => {
    const response = await chat({ max_tokens: 4 });
    expect(response.status).toBe(200);
    await response.text();
    const format = "{{json .HostConfig.PortBindings}}";
    const published = await docker(["container", "inspect", "--format", format, ...containers.map(nameOf)]);
    const ports = published
      .trim()
      .split("\n")
      .map((text) => Object.keys((JSON.parse(text) ?? {}) as object));
    expect(ports).toEqual([["443/tcp"], [], [], ["11434/tcp"], []]);
    await expect(fetch(`${root}/health`)).rejects.toThrow("fetch failed");
  });

  it("are not changed by a second up", async () => {
    await project.pulumi("preview", "--refresh", "--expect-no-changes");
  });

  it("stream tokens through the edge as they are generated, and stop when the client disconnects", async () => {
    const leaving = new AbortController();
    const response = await fetch(`${root}/api/chat`, {
      method: "POST",
      dispatcher: stack.trusting,
      headers: { "content-type": "application/json", authorization: `Bearer ${key}` },
      signal: leaving.signal,
      body: JSON.stringify({
        model: stack.model,
        messages: [{ role: "user", content: "Count from 1 to 1000: 1, 2, 3, 4, 5, 6, 7, 8, 9," }],
        options: { num_predict: 400, temperature: 0 },
      }),
    });
    // The first line arrives before the 24th is generated, although all 24 would fit in a buffer of 4 KiB.
    const { lines, begunAt } = await firstLines(response, 24);
    const { created_at: generated } = JSON.parse(lines[23] ?? "") as { created_at: string };
    expect(lines.join("\n").length).toBeLessThan(4096);
    expect(begunAt).toBeLessThan(Date.parse(generated));
    leaving.abort();
    await expect
      .poll(() => logged("60s", "gateway", "gateway-2"), { timeout: 15_000 })
      .toMatch(/"route":"\/api\/chat".*client_left/);
  });

  it("pass a gateway's error through the edge unchanged", async () => {
    const response = await chat({}, "sk-wrong");
    expect(response.status).toBe(401);
    expect(await response.json()).toMatchObject({ error: { code: "invalid_api_key" } });
  });

  it("serve the console through the edge, with unchanged headers and unbuffered live events", async () => {
    const page = await fetch(root, { dispatcher: stack.trusting, headers: { accept: "text/html" } });
    expect(page.url).toBe(`${root}/console/`);
    expect(Object.fromEntries(page.headers)).toMatchObject(await consoleHeaders(nameOf("gateway")));
    const script = /src="([^"]+)"/.exec(await page.text())?.[1] ?? "";
    const loaded = await fetch(new URL(script, page.url), { dispatcher: stack.trusting });
    expect(loaded.headers.get("content-type")).toBe("text/javascript; charset=utf-8");

    const session = await fetch(`${root}/admin/session`, { dispatcher: stack.trusting });
    expect(session.status).toBe(401);
    const headers = { authorization: `Bearer ${key}` };
    const signedIn = await fetch(`${root}/admin/session`, { dispatcher: stack.trusting, headers });
    expect(await signedIn.json()).toMatchObject({ key: "load", rights: { admin: true } });

    const leaving = new AbortController();
    const { signal } = leaving;
    const events = await fetch(`${root}/admin/events`, { dispatcher: stack.trusting, headers, signal });
    const waitForEvent = eventReader(events.body as ReadableStream<Uint8Array>);
    // Nothing else has been sent by then, so that a buffer would still hold it.
    await waitForEvent("overview");
    await (await chat({ max_tokens: 4 })).text();
    await waitForEvent("request");
    leaving.abort();
  });

  it("roll out changes of both images while 20 clients stream, without a failed or cut off response", async () => {
    await stack.rollOutBothImages(20);
  });

  it("keep serving when an update fails at one gateway, and the next one completes with another configuration", async () => {
    const before = await stack.currentIds();
    const undo = project.edit("gateway/src/server.ts", (text) => `${text}\nthrow new Error("planted");\n`);
    const failed = await stack.updateUnderLoad(4);
    expect(failed.code, failed.output).not.toBe(0);
    expect(failed.output).toMatch(/Container ollama-stack-rolling-gateway (crashed|exited)/);
    expect(failed.output).toMatch(/Its last log lines:\n(.*\n)*.*planted/);
    const afterFailure = await stack.currentIds();
    expect(replacedSince(before, afterFailure)).toEqual([nameOf("gateway")]);
    undo();
    project.configure({ gatewayEnvironment: { QUEUE_LIMIT: 63 } });
    const next = await stack.updateUnderLoad(4);
    expect(next.code, next.output).toBe(0);
    // The new configuration replaces the other gateway, too, once the first one serves again.
    expect(replacedSince(afterFailure, await stack.currentIds())).toEqual([
      nameOf("gateway"),
      nameOf("gateway-2"),
    ]);
    expect([...failed.failures, ...next.failures], `${failed.output}\n${next.output}`).toEqual([]);
    expect(failed.completed + next.completed).toBeGreaterThan(8);
    expect(next.output).not.toMatch(/will be aborted|could take over/);
  });

  it("cut off a started stream when its gateway dies, without sending the request again", async () => {
    const generations = async () =>
      (await logged("1h", "ollama", "ollama-2")).match(/POST +"\/api\/chat"/g)?.length ?? 0;
    // Loading a model is a request to Ollama, too, and Ollama logs a request shortly after its response.
    await Promise.all(Array.from({ length: 8 }, async () => (await chat({ max_tokens: 8 })).text()));
    let before = NaN;
    const settled = async () => before === (before = await generations());
    await expect.poll(settled, { interval: 500, timeout: 10_000 }).toBe(true);
    const since = new Date().toISOString();
    const messages = [{ role: "user", content: "Tell me a very long story." }];
    const response = await chat({ stream: true, max_tokens: 400, messages });
    const reader = (response.body as ReadableStream<Uint8Array>).getReader();
    expect(new TextDecoder().decode((await reader.read()).value)).toMatch(/^data: \{/);
    await docker(["container", "kill", nameOf("gateway")]);
    let text = "";
    const rest = async () => {
      for (let next = await reader.read(); !next.done; next = await reader.read())
        text += new TextDecoder().decode(next.value);
    };
    await expect(rest()).rejects.toThrow("terminated");
    expect(text).not.toContain("[DONE]");
    await expect.poll(generations, { timeout: 10_000 }).toBe(before + 1);
    // The edge now sends requests to the other gateway, which has none in flight, and did not get this one.
    expect(await metrics()).toMatch(/^gateway_requests_in_flight 0$/m);
    expect(await logged(since, "gateway-2")).not.toContain('"route":"/v1/chat/completions"');
    expect(await generations()).toBe(before + 1);
  });

  it("fail the requests that a dying gateway has received, and serve all others at the other gateway", async () => {
    const now = Math.floor(Date.now() / 1000);
    await docker(["container", "restart", nameOf("gateway")]);
    const started = async () => Number(/^process_start_time_seconds (\d+)$/m.exec(await metrics())?.[1]);
    await expect.poll(started, { timeout: 10_000 }).toBeGreaterThanOrEqual(now);
    let died = Infinity;
    const failures: string[] = [];
    const client = async (n: number) => {
      const sent = performance.now();
      const failure = await failureOf(() => chat({ stream: n % 2 === 0, max_tokens: 12, seed: n }));
      // The connection breaks, or the edge reports that it does not retry the request.
      const wasCut = sent < died && /^terminated|^502 .*gateway_unreachable/.test(failure ?? "");
      if (failure !== undefined && !wasCut) failures.push(`${String(n)}: ${failure}`);
    };
    const clients: Promise<void>[] = [];
    for (let n = 0; n < 24; n++) {
      clients.push(client(n));
      if (n === 4) {
        const kill = docker(["container", "kill", nameOf("gateway")]);
        clients.push(
          kill.then(() => {
            died = performance.now();
          }),
        );
      }
      await sleep(50);
    }
    await Promise.all(clients);
    expect(failures).toEqual([]);
  });

  it("report in OpenAI's format that no gateway is left", async () => {
    const gateways = [nameOf("gateway"), nameOf("gateway-2")];
    await docker(["container", "stop", "--time", "1", ...gateways]);
    try {
      const response = await chat({ max_tokens: 4 });
      expect([502, 503]).toContain(response.status);
      expect(await response.json()).toMatchObject({ error: { code: "gateway_unreachable" } });
    } finally {
      await docker(["container", "start", ...gateways]);
    }
  });

  it("keep the edge's configuration across a restart of the edge", async () => {
    await docker(["container", "restart", nameOf("edge")]);
    await expect
      .poll(async () => (await chat({ max_tokens: 4 }).catch(() => undefined))?.status, { timeout: 20_000 })
      .toBe(200);
  });

  it("lose the edge by npm run up, which frees its port for the gateway", async () => {
    // Options on the command line take precedence over the file.
    const update = ["scripts/commands/up.ts", "--", "-c", "edge=none", "-c", "gatewayReplicas=1"];
    const environment = { OLLAMA_STACK_API_KEY: key };
    const { code, output } = await project.run(process.execPath, update, environment).done;
    expect(code, output).toBe(0);
    const response = await fetch(`http://127.0.0.1:${String(gatewayPort)}/v1/models`, {
      headers: { authorization: `Bearer ${key}` },
    });
    expect(response.status).toBe(200);
    expect(await docker(["container", "ls", "--all", "--format", "{{.Names}}"])).not.toContain(
      nameOf("edge"),
    );
    await project.pulumi("preview", "--expect-no-changes");
  });
});
