import { once } from "node:events";
import { type IncomingMessage, createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import type { Span } from "../../../gateway/src/observability/otlp-exporter.ts";
import { token } from "../../../test-support/fakes/ollama/steps.ts";
import {
  eventually,
  hello,
  readEvents,
  startFake,
  startGateway,
} from "../../../test-support/gateway/gateway-harness.ts";

const chat = "/v1/chat/completions";
const traceId = "0af7651916cd43dd8448eb211c80319c";
const parentId = "b7ad6b7169203331";
const json = { "content-type": "application/json" };

interface Batch {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly { readonly key: string; readonly value: object }[] };
    readonly scopeSpans: readonly { readonly spans: readonly Span[] }[];
  }[];
}

async function startCollector(
  status = 200,
): Promise<{ endpoint: string; spans: Span[]; services: object[] }> {
  const spans: Span[] = [];
  const services: object[] = [];
  const server = createServer((request: IncomingMessage, response) => {
    void request.toArray().then((pieces) => {
      if (request.url === "/otlp/v1/metrics") {
        response.writeHead(status).end("{}");
        return;
      }
      const { resourceSpans } = JSON.parse(Buffer.concat(pieces as Buffer[]).toString()) as Batch;
      for (const { resource, scopeSpans } of resourceSpans) {
        services.push(...resource.attributes.map(({ value }) => value));
        spans.push(...scopeSpans.flatMap((scope) => scope.spans));
      }
      response.writeHead(request.url === "/otlp/v1/traces" ? status : 404).end("{}");
    });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}/otlp/`, spans, services };
}

function attributesOf(span: Span | undefined): Record<string, unknown> {
  return Object.fromEntries((span?.attributes ?? []).map(({ key, value }) => [key, Object.values(value)[0]]));
}

test("forwards a traceparent to Ollama and logs its trace id", async () => {
  const fake = await startFake();
  const gateway = await startGateway(fake);
  const traceparent = `00-${traceId}-${parentId}-01`;
  for (const stream of [false, true]) {
    await (await gateway.post(chat, { ...hello, stream }, { headers: { ...json, traceparent } })).text();
  }
  expect(fake.received.map(({ headers }) => headers["traceparent"])).toEqual([traceparent, traceparent]);
  expect(await gateway.requestLine(chat, 1)).toMatchObject({ trace_id: traceId });
});

test.each([
  ["/v1/embeddings", { model: "m", input: "Hi" }],
  ["/api/embed", { model: "m", input: "Hi" }],
])("forwards a traceparent with an embedding request (%s)", async (path, body) => {
  const fake = await startFake();
  const gateway = await startGateway(fake);
  const traceparent = `00-${traceId}-${parentId}-01`;
  await (await gateway.post(path, body, { headers: { ...json, traceparent } })).text();
  expect((await fake.conversation()).headers["traceparent"]).toBe(traceparent);
});

test.each([
  "nonsense",
  `00-${"0".repeat(32)}-${parentId}-01`,
  `00-${traceId}-${"0".repeat(16)}-01`,
  `ff-${traceId}-${parentId}-01`,
])("drops an invalid traceparent (%s)", async (traceparent) => {
  const fake = await startFake();
  const gateway = await startGateway(fake);
  await (await gateway.post(chat, hello, { headers: { ...json, traceparent } })).text();
  expect((await fake.conversation()).headers["traceparent"]).toBeUndefined();
  expect(await gateway.requestLine(chat)).not.toHaveProperty("trace_id");
});

test("exports spans that show where a request's time went", async () => {
  const { endpoint, spans, services } = await startCollector();
  const fake = await startFake();
  fake.loaded = [];
  fake.loadsWith({ waitMs: 60 });
  const gateway = await startGateway(fake, {
    OTEL_EXPORTER_OTLP_ENDPOINT: endpoint,
    OTEL_SERVICE_NAME: "here",
    OTEL_BSP_SCHEDULE_DELAY: "20",
  });
  const headers = { ...json, traceparent: `00-${traceId}-${parentId}-01` };
  await readEvents(await gateway.post(chat, { ...hello, stream: true }, { headers }));
  const upstream = (await fake.conversation()).headers["traceparent"];
  const server = await eventually(() => spans.find(({ name }) => name === `POST ${chat}`));
  expect(server).toMatchObject({ traceId, parentSpanId: parentId, kind: 2 });
  expect(attributesOf(server)).toMatchObject({ "http.response.status_code": 200, "http.route": chat });
  const call = spans.find(({ name }) => name === "chat m:latest");
  expect(call).toMatchObject({ traceId, parentSpanId: server.spanId, kind: 3 });
  expect(upstream).toBe(`00-${traceId}-${call?.spanId}-01`);
  expect(attributesOf(call)).toMatchObject({
    "gen_ai.operation.name": "chat",
    "gen_ai.request.model": "m:latest",
    "gen_ai.usage.input_tokens": 11,
    "gen_ai.usage.output_tokens": 3,
  });
  const load = spans.find(({ name }) => name === "load");
  const took = Number(BigInt(load?.endTimeUnixNano ?? 0) - BigInt(load?.startTimeUnixNano ?? 0)) / 1e6;
  expect(took).toBeGreaterThan(55);
  expect(Math.abs(Number(server.startTimeUnixNano) / 1e6 - Date.now())).toBeLessThan(60_000);
  expect(services).toContainEqual({ stringValue: "here" });
});

test("does not record an incoming trace that is not sampled, and records one started here", async () => {
  const { endpoint, spans } = await startCollector();
  const fake = await startFake();
  const gateway = await startGateway(fake, {
    OTEL_EXPORTER_OTLP_ENDPOINT: endpoint,
    OTEL_BSP_SCHEDULE_DELAY: "20",
  });
  const headers = { ...json, traceparent: `00-${traceId}-${parentId}-00` };
  await (await gateway.post(chat, hello, { headers })).text();
  await (await gateway.post(chat, hello)).text();
  await eventually(() => (spans.length >= 2 ? true : undefined));
  expect(spans.filter((span) => span.traceId === traceId)).toEqual([]);
  expect((await fake.conversation()).headers["traceparent"]).toMatch(
    new RegExp(`^00-${traceId}-\\w{16}-00$`),
  );
  expect((await fake.conversation(1)).headers["traceparent"]).toMatch(/^00-\w{32}-\w{16}-01$/);
});

test("marks the span of a stream that fails midway as an error", async () => {
  const { endpoint, spans } = await startCollector();
  const fake = await startFake();
  fake.respondWith(token("Hel"), { waitMs: 10 }, "cut");
  const gateway = await startGateway(fake, {
    OTEL_EXPORTER_OTLP_ENDPOINT: endpoint,
    OTEL_BSP_SCHEDULE_DELAY: "20",
  });
  await readEvents(await gateway.post(chat, { ...hello, stream: true }));
  const call = await eventually(() => spans.find(({ name }) => name === "chat m:latest"));
  expect(call.status).toEqual({ code: 2 });
  expect(attributesOf(call)).toMatchObject({ "error.type": "upstream_incomplete" });
});

test("a failing collector costs only the traces", async () => {
  const { endpoint } = await startCollector(500);
  const gateway = await startGateway(await startFake(), {
    OTEL_EXPORTER_OTLP_ENDPOINT: endpoint,
    OTEL_BSP_SCHEDULE_DELAY: "20",
  });
  for (let n = 0; n < 3; n += 1) expect((await gateway.post(chat, hello)).status).toBe(200);
  await expect
    .poll(() => gateway.log.filter((line) => line.includes("cannot export traces, dropping them")).length)
    .toBe(1);
  // A span for each request, for each call to Ollama, and for each wait.
  await expect
    .poll(async () => (await fetch(`${gateway.url}/metrics`)).text(), { timeout: 3000 })
    .toMatch(/^gateway_spans_dropped ([6-9]|1\d)$/m);
});
