const withinMs = 5000;

/**
 * Tells a stack's Prometheus how many differences were found, as a metric in OpenTelemetry's form: its alerts and its
 * dashboard show it. @throws Error when it cannot be reported
 */
export async function reportDifferences(prometheusUrl: string, differences: number): Promise<void> {
  const url = new URL("/api/v1/otlp/v1/metrics", prometheusUrl);
  const dataPoint = { asInt: String(differences), timeUnixNano: `${String(Date.now())}000000` };
  const metric = {
    name: "stack_drift_differences",
    description: "Properties that the last npm run drift found other than deployed.",
    gauge: { dataPoints: [dataPoint] },
  };
  const body = {
    resourceMetrics: [
      {
        resource: { attributes: [{ key: "service.name", value: { stringValue: "drift" } }] },
        scopeMetrics: [{ metrics: [metric] }],
      },
    ],
  };
  const response = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(withinMs),
  });
  if (!response.ok) throw new Error(`it responds ${String(response.status)}: ${await response.text()}`);
}
