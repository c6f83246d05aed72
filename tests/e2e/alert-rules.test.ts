import { expect, test } from "vitest";
import { prometheusConfig, rulesConfig } from "../../monitoring/prometheus-files.ts";
import {
  type AlertCase,
  alertSettings,
  checkAlerts,
  rulesFolder,
} from "../../test-support/monitoring/alert-cases.ts";
import { promtool } from "../../test-support/monitoring/promtool.ts";

// Evaluates the rules on synthetic series with Prometheus' own promtool.

const chat = 'route="/v1/chat/completions",method="POST"';
const firstToken = "gen_ai_server_time_to_first_token_seconds";
/** One value for five minutes, another one for five minutes, then the first again. */
const forFiveMinutes = (usual: string, then: string) => `${usual}x19 ${then}x19 ${usual}x40`;

test.each<[string, AlertCase]>([
  [
    "SharedStateAway fires when a gateway has not reached the shared state for two minutes, and not before",
    {
      series: {
        'gateway_shared_state_up{job="gateway",instance="gateway:8000"}': forFiveMinutes("1", "0"),
        'gateway_shared_state_up{job="gateway",instance="gateway-2:8000"}': "1x80",
      },
      firing: { "6m": [], "9m": ["SharedStateAway"], "11m": [] },
    },
  ],
  [
    "GatewayDown fires when a gateway has been unreachable for two minutes, and not before",
    {
      series: {
        'up{job="gateway",instance="gateway:8000"}': forFiveMinutes("1", "0"),
        'up{job="gateway",instance="gateway-2:8000"}': "1x80",
      },
      firing: { "6m": [], "9m": ["GatewayDown"], "11m": [] },
    },
  ],
  [
    "NoGatewayActive fires when all gateways are on standby for two minutes, not when another one takes over",
    {
      series: {
        'gateway_active{job="gateway",instance="a"}': "1x19 0x80",
        'gateway_active{job="gateway",instance="b"}': "0x20 1x19 0x19 1x40",
      },
      firing: { "6m": [], "9m": [], "14m": ["NoGatewayActive"], "16m": [] },
    },
  ],
  [
    "BackendDown fires when no gateway reaches a server, not when only one gateway does not",
    {
      series: {
        'gateway_backend_up{instance="a",backend="ollama:11434"}': forFiveMinutes("1", "0"),
        'gateway_backend_up{instance="b",backend="ollama:11434"}': forFiveMinutes("1", "0"),
        'gateway_backend_up{instance="a",backend="ollama-2:11434"}': forFiveMinutes("1", "0"),
        'gateway_backend_up{instance="b",backend="ollama-2:11434"}': "1x80",
      },
      firing: { "6m": [], "9m": ["BackendDown"], "11m": [] },
    },
  ],
  [
    "ErrorRatioHigh and the alerts on the 30-day error budget fire when one request in six fails",
    {
      series: {
        [`http_requests_total{${chat},status="200"}`]: "0+10x200",
        [`http_requests_total{${chat},status="503"}`]: "0x19 0+2x20 40x160",
      },
      firing: {
        "4m": [],
        "9m": ["AvailabilityBudgetBurningFast", "AvailabilityBudgetBurningSlowly", "ErrorRatioHigh"],
        // Over half an hour and six hours, the ratio is still six times too high.
        "17m": ["AvailabilityBudgetBurningFast", "AvailabilityBudgetBurningSlowly"],
        "44m": ["AvailabilityBudgetBurningSlowly"],
      },
    },
  ],
  [
    "interrupted streams count as errors, probes and invalid requests do not",
    {
      series: {
        [`http_requests_total{${chat},status="200"}`]: "0+10x80",
        'http_requests_total{route="/ready",method="GET",status="503"}': "0+30x80",
        [`http_requests_total{${chat},status="400"}`]: "0+10x80",
        'gateway_stream_failures_total{code="upstream_incomplete"}': "0x40 0+4x40",
      },
      firing: {
        "10m": [],
        "19m": ["AvailabilityBudgetBurningFast", "AvailabilityBudgetBurningSlowly", "ErrorRatioHigh"],
      },
    },
  ],
  [
    "one failure in a thousand is within the objective",
    {
      series: {
        [`http_requests_total{${chat},status="200"}`]: "0+999x300",
        [`http_requests_total{${chat},status="503"}`]: "0+1x300",
      },
      firing: { "10m": [], "60m": [] },
    },
  ],
  [
    "AvailabilityBudgetBurningSlowly fires when two requests in a hundred fail",
    {
      series: {
        [`http_requests_total{${chat},status="200"}`]: "0+98x300",
        [`http_requests_total{${chat},status="503"}`]: "0+2x300",
      },
      firing: { "60m": ["AvailabilityBudgetBurningSlowly"] },
    },
  ],
  [
    "FirstTokenSlow fires when more than a tenth of the requests wait longer than the objective",
    {
      series: {
        [`${firstToken}_bucket{le="5.0"}`]: "0+10x19 200+5x19 305+10x60",
        [`${firstToken}_bucket{le="+Inf"}`]: "0+10x200",
        [`${firstToken}_count`]: "0+10x200",
      },
      firing: {
        "4m": [],
        "9m": ["FirstTokenBudgetBurningFast", "FirstTokenBudgetBurningSlowly", "FirstTokenSlow"],
        "17m": ["FirstTokenBudgetBurningFast", "FirstTokenBudgetBurningSlowly"],
      },
    },
  ],
  [
    "FirstTokenSlow uses the bucket of the configured objective",
    {
      change: { objectiveFirstTokenSeconds: 2.5 },
      series: {
        [`${firstToken}_bucket{le="2.5"}`]: "0+10x80",
        [`${firstToken}_bucket{le="5.0"}`]: "0+1x80",
        [`${firstToken}_count`]: "0+10x80",
      },
      firing: { "9m": [] },
    },
  ],
  [
    "QueueSaturated fires when a queue is nearly full",
    {
      series: {
        'gateway_queue_depth{instance="a"}': forFiveMinutes("3", "230"),
        'gateway_queue_limit{instance="a"}': "256x80",
        'gateway_queue_depth{instance="b"}': "0x80",
        'gateway_queue_limit{instance="b"}': "256x80",
      },
      firing: { "4m": [], "9m": ["QueueSaturated"], "13m": [] },
    },
  ],
  [
    "QueueSaturated fires when requests are rejected because the queue is full",
    {
      series: {
        'gateway_refusals_total{instance="a",reason="queue_full"}': "0x19 0+1x20 20x60",
        'gateway_refusals_total{instance="a",reason="invalid_api_key"}': "0+9x80",
      },
      firing: { "4m": [], "9m": ["QueueSaturated"], "17m": [] },
    },
  ],
  [
    "ModelMissing fires when no gateway knows a server with the model",
    {
      series: {
        'gateway_required_model_present{instance="a",gen_ai_request_model="m"}': forFiveMinutes("1", "0"),
        'gateway_required_model_present{instance="a",gen_ai_request_model="n"}': "1x80",
      },
      firing: { "6m": [], "9m": ["ModelMissing"], "11m": [] },
    },
  ],
  [
    "ModelOnCpu fires when a model that was in GPU memory no longer is",
    {
      series: {
        'gateway_backend_model_gpu_ratio{backend="o",gen_ai_request_model="m"}': forFiveMinutes("1", "0.4"),
        'gateway_backend_model_gpu_ratio{backend="o",gen_ai_request_model="n"}': "0x80",
      },
      firing: { "6m": [], "9m": ["ModelOnCpu"], "11m": [] },
    },
  ],
  [
    "ModelOnCpu fires for each model that is not on GPUs if the config requires them",
    {
      change: { hasGpus: true },
      series: { 'gateway_backend_model_gpu_ratio{backend="o",gen_ai_request_model="n"}': "0x80" },
      firing: { "1m": [], "4m": ["ModelOnCpu"] },
    },
  ],
  [
    "MemoryNearLimit fires when a gateway uses more than nine tenths of its limit",
    {
      series: {
        'stack_container_memory_bytes{instance="a"}': forFiveMinutes("500", "950"),
        'stack_container_memory_limit_bytes{instance="a"}': "1000x80",
      },
      firing: { "6m": [], "9m": ["MemoryNearLimit"], "11m": [] },
    },
  ],
  [
    "MemoryNearLimit fires for models in an Ollama server's memory, not for those on GPUs",
    {
      series: {
        'gateway_backend_model_bytes{backend="o",gen_ai_request_model="m"}': forFiveMinutes("500", "700"),
        'gateway_backend_model_gpu_ratio{backend="o",gen_ai_request_model="m"}': "0x80",
        'gateway_backend_model_bytes{backend="o",gen_ai_request_model="n"}': "500x80",
        'gateway_backend_model_gpu_ratio{backend="o",gen_ai_request_model="n"}': "0.5x80",
        'gateway_backend_model_bytes{backend="p",gen_ai_request_model="m"}': "5000x80",
        'gateway_backend_model_gpu_ratio{backend="p",gen_ai_request_model="m"}': "1x80",
      },
      firing: { "6m": [], "9m": ["MemoryNearLimit"], "11m": [] },
    },
  ],
  [
    "ContainerRestarting fires after two restarts in 15 minutes, not after one",
    {
      series: {
        'process_start_time_seconds{job="gateway",instance="a"}': "100x19 400x10 500x100",
        'process_start_time_seconds{job="gateway",instance="b"}': "100x19 400x110",
      },
      firing: { "6m": [], "9m": ["ContainerRestarting"], "24m": [] },
    },
  ],
  [
    "ContainerRestarting fires when an Ollama server was unreachable twice",
    {
      series: {
        'gateway_backend_up{instance="a",backend="o"}': "1x19 0x1 1x10 0x1 1x100",
        'gateway_backend_up{instance="a",backend="p"}': "1x19 0x1 1x110",
      },
      firing: { "6m": [], "10m": ["ContainerRestarting"], "24m": [] },
    },
  ],
  [
    "CertificateExpiring fires when a fifth of the certificate's lifetime is left",
    {
      series: {
        gateway_certificate_not_before_seconds: "-2700x19 -2700x60",
        // Valid for an hour; renewed after ten minutes.
        gateway_certificate_not_after_seconds: "900x39 4500x40",
      },
      firing: { "2m": [], "9m": ["CertificateExpiring"], "11m": [] },
    },
  ],
  [
    "DiskNearlyFull fires when less than a tenth is free",
    {
      series: {
        gateway_disk_free_bytes: forFiveMinutes("200", "99"),
        gateway_disk_size_bytes: "1000x80",
      },
      firing: { "6m": [], "9m": ["DiskNearlyFull"], "11m": [] },
    },
  ],
  [
    "DriftFound fires until a later run finds none",
    {
      series: { stack_drift_differences: "_x10 2 _x40 0 _x40" },
      firing: { "2m": [], "9m": ["DriftFound"], "14m": [] },
    },
  ],
])("%s", async (_title, each) => {
  await checkAlerts(each);
});

test("Prometheus accepts the rules and the config, with and without Alertmanagers", async () => {
  const scrape = { ...alertSettings, gateways: ["gateway:8000", "gateway-2:8000"], self: "prometheus:9090" };
  for (const alertmanagers of [[], ["alerts.example.org:9093"]]) {
    const path = rulesFolder({
      "rules.yml": rulesConfig(alertSettings),
      "prometheus.yml": prometheusConfig({ ...scrape, alertmanagers }),
      "metrics-key": "secret",
    });
    const { code, output } = await promtool(["check", "config", "prometheus.yml"], path);
    expect(output).toContain("SUCCESS");
    expect(code).toBe(0);
  }
});
