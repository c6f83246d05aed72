import { alertWindow, type MonitoringSettings } from "./settings.ts";

/** A recording rule in Prometheus' format. */
export interface RecordingRule {
  readonly record: string;
  readonly expr: string;
}

/** The windows of the burn rates, the shortest first. */
const windows = ["5m", "30m", "1h", "2h", "6h", "1d", "3d"] as const;
export type Window = (typeof windows)[number];

/** Matches the requests of clients, without probes, scrapes and requests of the console. */
export const clientRoutes =
  'route!~"/(health|ready|accepting|metrics|admin|console|openapi|v1/health_check).*"';

/** Names of recorded ratios. */
export const errorRatio = (window: string) => `stack:request_errors:ratio_rate${window}`;
export const slowRatio = (window: string) => `stack:first_token_slow:ratio_rate${window}`;
export const alertErrorRatio = "stack:request_errors:ratio";
export const alertSlowRatio = "stack:first_token_slow:ratio";

/** What alerts and the dashboard share, computed once. */
export function recordingRules(settings: MonitoringSettings): RecordingRule[] {
  const window = alertWindow(settings);
  return [
    { record: "stack:requests:rate", expr: `sum(rate(http_requests_total{${clientRoutes}}[${window}]))` },
    { record: alertErrorRatio, expr: errors(window) },
    { record: alertSlowRatio, expr: slow(window, settings) },
    ...windows.flatMap((each) => [
      { record: errorRatio(each), expr: errors(each) },
      { record: slowRatio(each), expr: slow(each, settings) },
    ]),
  ];
}

/** Responses with a status of 5xx, and streams that failed after their status was sent. No requests: no value. */
function errors(window: string): string {
  const failed = `(sum(rate(http_requests_total{status=~"5..",${clientRoutes}}[${window}])) or vector(0))`;
  const broken = `(sum(rate(gateway_stream_failures_total[${window}])) or vector(0))`;
  return `(${failed} + ${broken}) / (sum(rate(http_requests_total{${clientRoutes}}[${window}])) > 0)`;
}

/** Requests whose first token came later than the objective, of those that had one. */
function slow(window: string, { objectiveFirstTokenSeconds: objective }: MonitoringSettings): string {
  const metric = "gen_ai_server_time_to_first_token_seconds";
  // Prometheus writes an integer bound as 5.0, regardless of how it was exposed.
  const bound = `${String(objective).replaceAll(".", "\\\\.")}(\\\\.0)?`;
  const all = `(sum(rate(${metric}_count[${window}])) > 0)`;
  return `1 - sum(rate(${metric}_bucket{le=~"${bound}"}[${window}])) / ${all}`;
}
