import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { expect, onTestFinished, test } from "vitest";
import { reportDifferences } from "../../../scripts/drift/report-metric.ts";
import { parseAlerts } from "../../../scripts/observe/alerts.ts";
import { formatStatus } from "../../../scripts/observe/status.ts";

const alert = (alertname: string, severity: string, state: string) => ({
  state,
  labels: { alertname, severity },
  annotations: { summary: `about ${alertname}`, runbook_url: `docs/${alertname}.md` },
  activeAt: "2026-11-28T12:00:00Z",
});

test("npm run status lists firing alerts, those that page somebody first", () => {
  const alerts = parseAlerts(
    JSON.stringify({
      data: {
        alerts: [alert("B", "ticket", "firing"), alert("C", "page", "firing"), alert("A", "page", "pending")],
      },
    }),
  );
  const status = {
    stack: "dev",
    gatewayUrl: "http://g",
    containers: [],
    loadedModels: [],
    queue: "not queried",
    lastErrors: [],
  };
  const shown = (given: Parameters<typeof formatStatus>[0]) =>
    formatStatus(given, Date.parse("2026-11-28T12:03:00Z"));
  expect(shown({ ...status, alerts })).toContain(
    [
      "alerts:",
      "  page  C, for 3 min: about C (docs/C.md)",
      "  ticket  B, for 3 min: about B (docs/B.md)",
    ].join("\n"),
  );
  expect(shown({ ...status, alerts: [] })).toContain("alerts: none\n");
  expect(shown({ ...status, alerts: "it responds 503" })).toContain("alerts: not known (it responds 503)");
  expect(shown(status)).not.toContain("alerts");
});

test("sends the number of differences as a metric, and reports a rejection", async () => {
  const bodies: string[] = [];
  const server = createServer((request, response) => {
    void text(request).then((body) => {
      bodies.push(`${request.url ?? ""} ${body}`);
      response.statusCode = bodies.length === 1 ? 200 : 404;
      response.end("otlp is off");
    });
  }).listen(0, "127.0.0.1");
  onTestFinished(() => {
    server.close();
  });
  await once(server, "listening");
  const url = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`;
  await reportDifferences(url, 3);
  expect(bodies[0]).toMatch(/^\/api\/v1\/otlp\/v1\/metrics .*"name":"stack_drift_differences".*"asInt":"3"/);
  await expect(reportDifferences(url, 0)).rejects.toThrow("it responds 404: otlp is off");
});
