import { clientRoutes, alertErrorRatio, alertSlowRatio } from "./recording-rules.ts";

/** A panel: what it shows, and from which queries. */
export interface PanelDefinition {
  readonly title: string;
  /** As Grafana calls it. */
  readonly unit: "reqps" | "percentunit" | "s" | "short" | "bytes" | "tps";
  readonly queries: readonly { readonly expr: string; readonly legend: string }[];
}

/** Grafana puts a span here that has enough scrapes for a rate. */
export const rateInterval = "$__rate_interval";

const one = (expr: string, legend: string) => [{ expr, legend }];
const rate = (metric: string, by: string) => `sum by (${by}) (rate(${metric}[${rateInterval}]))`;
const quantiles = (metric: string) =>
  [0.5, 0.95].map((quantile) => ({
    expr: `histogram_quantile(${String(quantile)}, ${rate(`${metric}_bucket`, "le")})`,
    legend: `p${String(quantile * 100)}`,
  }));
const mean = (metric: string, legend: string) => ({
  expr: `sum(rate(${metric}_sum[${rateInterval}])) / (sum(rate(${metric}_count[${rateInterval}])) > 0)`,
  legend,
});

/** The rows of the dashboard, from what a client notices to what may be the cause. */
export const rows: readonly { readonly title: string; readonly panels: readonly PanelDefinition[] }[] = [
  {
    title: "Service",
    panels: [
      {
        title: "Requests",
        unit: "reqps",
        queries: one(rate(`http_requests_total{${clientRoutes}}`, "status"), "{{status}}"),
      },
      {
        title: "Share of requests that fail, or wait longer than the objective",
        unit: "percentunit",
        queries: [
          { expr: alertErrorRatio, legend: "fail" },
          { expr: alertSlowRatio, legend: "first token later than the objective" },
        ],
      },
      {
        title: "Time to first token",
        unit: "s",
        queries: quantiles("gen_ai_server_time_to_first_token_seconds"),
      },
      {
        title: "Tokens",
        unit: "tps",
        queries: one(rate("gen_ai_client_token_usage_sum", "gen_ai_token_type"), "{{gen_ai_token_type}}"),
      },
      {
        title: "Time per output token",
        unit: "s",
        queries: quantiles("gen_ai_server_time_per_output_token_seconds"),
      },
      {
        title: "Alerts that fire",
        unit: "short",
        queries: one(
          'sum by (alertname, severity) (ALERTS{alertstate="firing"})',
          "{{severity}} {{alertname}}",
        ),
      },
    ],
  },
  {
    title: "Why is it slow",
    panels: [
      {
        title: "Where the time of a request goes",
        unit: "s",
        queries: [
          mean("gateway_queue_duration_seconds", "queue"),
          mean("gateway_model_load_duration_seconds", "load, of those loaded"),
          mean("gateway_prompt_duration_seconds", "prompt"),
          mean("gateway_generation_duration_seconds", "generation"),
        ],
      },
      {
        title: "Queue",
        unit: "short",
        queries: [
          { expr: "sum(gateway_queue_depth)", legend: "waiting" },
          { expr: "sum(gateway_requests_in_flight)", legend: "running" },
          { expr: "max(sum by (instance) (gateway_backend_slots))", legend: "slots" },
          { expr: "max(gateway_queue_limit)", legend: "limit" },
        ],
      },
      { title: "Wait for a slot", unit: "s", queries: quantiles("gateway_queue_duration_seconds") },
      {
        title: "Rejected requests",
        unit: "reqps",
        queries: one(rate("gateway_refusals_total", "reason"), "{{reason}}"),
      },
      {
        title: "Failed requests",
        unit: "reqps",
        queries: one(rate("gateway_request_failures_total", "code"), "{{code}}"),
      },
      {
        title: "Tokens by key",
        unit: "tps",
        queries: one(`topk(10, ${rate("gateway_key_tokens_total", "key")})`, "{{key}}"),
      },
    ],
  },
  {
    title: "Ollama",
    panels: [
      {
        title: "Servers that respond",
        unit: "short",
        queries: one("max by (backend) (gateway_backend_up)", "{{backend}}"),
      },
      {
        title: "Memory of loaded models",
        unit: "bytes",
        queries: one(
          "max by (backend, gen_ai_request_model) (gateway_backend_model_bytes)",
          "{{gen_ai_request_model}} on {{backend}}",
        ),
      },
      {
        title: "Share of loaded models on GPUs",
        unit: "percentunit",
        queries: one(
          "min by (backend, gen_ai_request_model) (gateway_backend_model_gpu_ratio)",
          "{{gen_ai_request_model}} on {{backend}}",
        ),
      },
      {
        title: "Models of the config that are installed",
        unit: "short",
        queries: one(
          "max by (gen_ai_request_model) (gateway_required_model_present)",
          "{{gen_ai_request_model}}",
        ),
      },
    ],
  },
  {
    title: "Gateway and machine",
    panels: [
      {
        title: "Memory, of the limit",
        unit: "percentunit",
        queries: one("stack_container_memory_bytes / stack_container_memory_limit_bytes", "{{instance}}"),
      },
      {
        title: "CPUs in use",
        unit: "short",
        queries: one(`rate(process_cpu_seconds_total[${rateInterval}])`, "{{instance}}"),
      },
      {
        title: "Delay of the event loop, p99",
        unit: "s",
        queries: one("nodejs_eventloop_lag_p99_seconds", "{{instance}}"),
      },
      {
        title: "Free disk",
        unit: "percentunit",
        queries: one("min(gateway_disk_free_bytes / gateway_disk_size_bytes)", "of the engine"),
      },
      {
        title: "Drift",
        unit: "short",
        queries: one("last_over_time(stack_drift_differences[2d])", "differences"),
      },
    ],
  },
];
