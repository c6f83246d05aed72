import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { json } from "node:stream/consumers";
import { expect, onTestFinished, test } from "vitest";
import { last } from "../../../test-support/fakes/ollama/steps.ts";
import { eventually, hello, startFake, startGateway } from "../../../test-support/gateway/gateway-harness.ts";

interface Point {
  readonly attributes: readonly { readonly key: string; readonly value: object }[];
  readonly asDouble?: number;
  readonly count?: string;
  readonly sum?: number;
  readonly bucketCounts?: readonly string[];
  readonly explicitBounds?: readonly number[];
}
interface Metric {
  readonly name: string;
  readonly unit?: string;
  readonly histogram?: { readonly aggregationTemporality: number; readonly dataPoints: readonly Point[] };
  readonly sum?: { readonly isMonotonic: boolean; readonly dataPoints: readonly Point[] };
  readonly gauge?: { readonly dataPoints: readonly Point[] };
}
interface Export {
  readonly resourceMetrics: readonly {
    readonly resource: object;
    readonly scopeMetrics: readonly { readonly metrics: readonly Metric[] }[];
  }[];
}

/** Starts a collector that records the metrics it receives. */
async function startCollector(status = 200) {
  const received: { path: string; metrics: readonly Metric[]; resource: object | undefined }[] = [];
  const server = createServer((request, response) => {
    void json(request).then((body) => {
      const [each] = (body as Partial<Export>).resourceMetrics ?? [];
      const metrics = each?.scopeMetrics[0]?.metrics ?? [];
      if (metrics.length > 0) received.push({ path: request.url ?? "", metrics, resource: each?.resource });
      response.writeHead(status).end("{}");
    });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, received };
}

const attributes = (point: Point | undefined): object =>
  Object.fromEntries(
    (point?.attributes ?? []).map(({ key, value }) => [key, Object.values(value)[0] as unknown]),
  );

test("exports metrics with the names and attributes of the GenAI conventions", async () => {
  const fake = await startFake();
  fake.respondWith(last({ prompt_eval_count: 30, eval_count: 5 }));
  const { endpoint, received } = await startCollector();
  const gateway = await startGateway(fake, {
    OTEL_EXPORTER_OTLP_ENDPOINT: endpoint,
    OTEL_METRIC_EXPORT_INTERVAL: "20",
  });
  await gateway.post("/v1/chat/completions", hello);
  await gateway.requestLine("/v1/chat/completions");
  const find = (name: string) => received.at(-1)?.metrics.find((each) => each.name === name);
  const usage = await eventually(() => find("gen_ai.client.token.usage"));
  expect(received.at(-1)?.path).toBe("/v1/metrics");
  expect(JSON.stringify(received.at(-1)?.resource)).toContain("ollama-stack-gateway");
  expect(usage.unit).toBe("{token}");
  const [input] = usage.histogram?.dataPoints ?? [];
  expect(input).toMatchObject({ count: "1", sum: 30 });
  // 30 is in the bucket above 16, up to 64.
  expect(input?.bucketCounts).toEqual(["0", "0", "0", "1", ...Array<string>(8).fill("0")]);
  expect(input?.explicitBounds?.slice(0, 4)).toEqual([1, 4, 16, 64]);
  const operation = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "ollama",
    "gen_ai.request.model": "m:latest",
  };
  expect(attributes(input)).toEqual({ ...operation, "gen_ai.token.type": "input" });
  for (const name of ["request.duration", "time_to_first_token"]) {
    const metric = find(`gen_ai.server.${name}`);
    expect(metric).toMatchObject({ unit: "s", histogram: { aggregationTemporality: 2 } });
    expect(attributes(metric?.histogram?.dataPoints[0])).toEqual(operation);
  }
  const requests = find("http_requests_total")?.sum;
  expect(requests?.isMonotonic).toBe(true);
  expect(requests?.dataPoints.map(attributes)).toContainEqual({
    "http.route": "/v1/chat/completions",
    "http.request.method": "POST",
    "http.response.status_code": 200,
  });
  expect(find("gateway_queue_limit")?.gauge?.dataPoints[0]?.asDouble).toBe(256);
});

test("exports pending metrics on shutdown", async () => {
  const { endpoint, received } = await startCollector();
  const gateway = await startGateway(await startFake(), { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint });
  expect(received).toEqual([]);
  await gateway.close();
  expect(received).toHaveLength(1);
});

test("logs a failing collector once, and exports nothing with OTEL_METRICS_EXPORTER=none", async () => {
  const { endpoint, received } = await startCollector(404);
  const environment = { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, OTEL_METRIC_EXPORT_INTERVAL: "5" };
  const gateway = await startGateway(await startFake(), environment);
  await eventually(() => (received.length > 3 ? true : undefined));
  expect(gateway.log.filter((line) => line.includes("cannot export metrics"))).toHaveLength(1);
  await gateway.close();
  const before = received.length;
  const silent = await startGateway(await startFake(), { ...environment, OTEL_METRICS_EXPORTER: "none" });
  await silent.close();
  expect(received).toHaveLength(before);
});
