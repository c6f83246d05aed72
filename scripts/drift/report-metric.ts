const withinMs = 5000;

/**
 * Reports the number of differences to the stack's Prometheus as an OpenTelemetry metric, for its alert and dashboard.
 * @throws Error if that fails
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
