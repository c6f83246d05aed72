import { once } from "node:events";
import { type RequestListener, createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, onTestFinished, test, vi } from "vitest";
import { SpanExporter } from "../../../gateway/src/observability/otlp-exporter.ts";
import { createLog } from "../../../gateway/src/observability/log.ts";
import { eventually, startFake, startGateway } from "../../../test-support/gateway/gateway-harness.ts";

const span = {
  traceId: "0af7651916cd43dd8448eb211c80319c",
  spanId: "b7ad6b7169203331",
  name: "load",
  kind: 1,
  startTimeUnixNano: "1",
  endTimeUnixNano: "2",
  attributes: [],
};

async function startCollector(respond: RequestListener): Promise<string> {
  const server = createServer(respond).listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Time passes for the gateway's timers only when the test says so. */
function stopTime(): void {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  onTestFinished(() => {
    vi.useRealTimers();
  });
}

test("an unresponsive collector delays the shutdown by two seconds, however much is to be sent", async () => {
  const requests: (string | undefined)[] = [];
  const endpoint = await startCollector(({ url }) => {
    requests.push(url);
  });
  const destination = { endpoint, serviceName: "s", scope: { name: "n", version: "1" }, intervalMs: 60_000 };
  const lines: string[] = [];
  const exporter = new SpanExporter(
    destination,
    createLog("info", { write: (line) => void lines.push(line) }).logger,
  );
  // Three batches.
  for (let n = 0; n < 1500; n += 1) exporter.add(span);
  const flushed = exporter.flush();
  await eventually(() => requests[0]);
  stopTime();
  const closed = exporter.close();
  await vi.advanceTimersByTimeAsync(2000);
  await Promise.all([flushed, closed]);
  expect(requests).toEqual(["/v1/traces"]);
  expect(exporter.dropped).toBe(1500);
  expect(lines).toHaveLength(1);
  expect(lines[0]).toContain("not sent within 2000 ms of the shutdown");
});

test("sends the last traces and metrics at the same time", async () => {
  const waiting = new Map<string, () => void>();
  // Responds to each only once the other has come.
  const endpoint = await startCollector(({ url = "" }, response) => {
    waiting.set(url, () => response.end("{}"));
    if (waiting.size === 2) for (const respond of waiting.values()) respond();
  });
  const gateway = await startGateway(await startFake(), { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint });
  await fetch(`${gateway.url}/v1/models`);
  await gateway.requestLine("/v1/models");
  stopTime();
  await gateway.close();
  expect([...waiting.keys()].sort()).toEqual(["/v1/metrics", "/v1/traces"]);
  expect(gateway.log.filter((line) => line.includes("cannot export"))).toEqual([]);
});
