import { z } from "zod";

const response = z.object({
  data: z.object({
    alerts: z.array(
      z.object({
        state: z.string(),
        labels: z.record(z.string(), z.string()),
        annotations: z.record(z.string(), z.string()),
        activeAt: z.string(),
      }),
    ),
  }),
});

/** An alert that fires. */
export interface FiringAlert {
  readonly name: string;
  /** page or ticket. */
  readonly severity: string;
  readonly summary: string;
  readonly runbook: string;
  /** ISO 8601. */
  readonly since: string;
}

/** Parses a response of Prometheus' /api/v1/alerts: firing alerts, those with severity page first. */
export function parseAlerts(text: string): FiringAlert[] {
  return response
    .parse(JSON.parse(text))
    .data.alerts.filter(({ state }) => state === "firing")
    .map(({ labels, annotations, activeAt }) => ({
      name: labels["alertname"] ?? "",
      severity: labels["severity"] ?? "",
      summary: annotations["summary"] ?? "",
      runbook: annotations["runbook_url"] ?? "",
      since: activeAt,
    }))
    .sort((a, b) => (a.severity + a.name < b.severity + b.name ? -1 : 1));
}
