import { burnRateAlerts } from "./burn-rates.ts";
import { alertErrorRatio, alertSlowRatio } from "./recording-rules.ts";
import { type Alert, runbookUrl, type Severity } from "./alert.ts";
import { alertWindow, type MonitoringSettings } from "./settings.ts";

interface Definition {
  readonly name: string;
  /** Name of a file in docs/runbooks, without its extension. */
  readonly runbook: string;
  readonly severity: Severity;
  readonly expr: string;
  /** Whether it fires at once, because its expression already covers a time range. */
  readonly immediate?: true;
  readonly summary: string;
  readonly description: string;
}

/** The share of a memory limit above which an alert fires. */
const nearLimit = 0.9;
const diskLeft = 0.1;
/** Bytes of loaded models that are not on GPUs. */
const modelsInMemory = "gateway_backend_model_bytes * (1 - gateway_backend_model_gpu_ratio)";
/** A certificate is renewed when a third of its life is left; with this much left that has failed. */
const certificateLeft = 0.2;

export function alerts(settings: MonitoringSettings): Alert[] {
  const window = alertWindow(settings);
  const definitions: Definition[] = [
    {
      name: "GatewayDown",
      runbook: "gateway-down",
      severity: "page",
      expr: 'up{job="gateway"} == 0',
      summary: "The gateway {{ $labels.instance }} does not respond",
      description: "Its metrics could not be read. If there is no other replica, clients get no response.",
    },
    {
      name: "NoGatewayActive",
      runbook: "no-gateway-active",
      severity: "page",
      // Only gateways of which one is active at a time have this metric. In a cluster, each stack has a namespace.
      expr: "max by (namespace) (gateway_active) == 0",
      summary: "All gateways stand by, none is active",
      description: "They cannot read or renew their Lease. Nothing moves the Service to another gateway.",
    },
    {
      name: "BackendDown",
      runbook: "backend-down",
      severity: "page",
      expr: "max by (backend) (gateway_backend_up) == 0",
      summary: "The Ollama server {{ $labels.backend }} does not respond",
      description:
        "No gateway can reach it. Requests go to the other servers; if there is none, they fail with 503.",
    },
    {
      name: "ErrorRatioHigh",
      runbook: "errors",
      severity: "page",
      expr: `${alertErrorRatio} > 0.05`,
      summary: "{{ $value | humanizePercentage }} of the requests fail",
      description: "They ended with a 5xx status, or as a broken stream.",
    },
    {
      name: "FirstTokenSlow",
      runbook: "first-token-slow",
      severity: "ticket",
      expr: `${alertSlowRatio} > 0.1`,
      summary: "{{ $value | humanizePercentage }} of the requests wait too long for their first token",
      description: `The objective is ${String(settings.objectiveFirstTokenSeconds)} s, including queue and model load.`,
    },
    {
      name: "QueueSaturated",
      runbook: "queue-saturated",
      severity: "page",
      expr:
        "gateway_queue_depth / gateway_queue_limit > 0.8 or " +
        `sum by (instance) (rate(gateway_refusals_total{reason=~"queue_full|queue_timeout"}[${window}])) > 0`,
      summary: "The queue of {{ $labels.instance }} is full, or nearly so",
      description: "Requests are rejected with 503 when it is full, or when they have waited too long.",
    },
    {
      name: "ModelMissing",
      runbook: "model-missing",
      severity: "page",
      expr: "max by (gen_ai_request_model) (gateway_required_model_present) == 0",
      summary: "No Ollama server has the model {{ $labels.gen_ai_request_model }}",
      description: "The stack's config lists it; requests for it fail with 404.",
    },
    {
      name: "ModelOnCpu",
      runbook: "model-on-cpu",
      severity: "ticket",
      expr: modelOnCpu(settings),
      summary:
        "{{ $labels.gen_ai_request_model }} runs on the CPU of {{ $labels.backend }}, in part or entirely",
      description: "It was in GPU memory, or should be. Generation is many times slower.",
    },
    {
      name: "MemoryNearLimit",
      runbook: "memory-near-limit",
      severity: "ticket",
      expr:
        `stack_container_memory_bytes / (stack_container_memory_limit_bytes > 0) > ${String(nearLimit)} or ` +
        `max by (backend) (sum by (instance, backend) (${modelsInMemory})) / ${String(settings.ollamaMemoryBytes)} > ${String(nearLimit)}`,
      summary:
        "{{ $labels.container }}{{ $labels.backend }} uses {{ $value | humanizePercentage }} of its memory limit",
      description:
        "If it exceeds the limit, the kernel kills one of its processes: a request, a model or the service.",
    },
    {
      name: "ContainerRestarting",
      runbook: "restarts",
      severity: "ticket",
      // An Ollama server shows when it is away: it is down and up again with each restart.
      expr:
        `changes(process_start_time_seconds{job="gateway"}[${longer(window)}]) >= 2 or ` +
        `max by (backend) (changes(gateway_backend_up[${longer(window)}])) >= 4`,
      immediate: true,
      summary: "{{ $labels.instance }}{{ $labels.backend }} restarts repeatedly",
      description: "It exits by itself, or something restarts it.",
    },
    {
      name: "CertificateExpiring",
      runbook: "certificate-expiring",
      severity: "page",
      expr:
        "(gateway_certificate_not_after_seconds - time()) / " +
        `(gateway_certificate_not_after_seconds - gateway_certificate_not_before_seconds) < ${String(certificateLeft)}`,
      summary: "{{ $value | humanizePercentage }} of the lifetime of the edge's certificate is left",
      description: "It should have been renewed. When it expires, clients refuse to connect.",
    },
    {
      name: "DiskNearlyFull",
      runbook: "disk-nearly-full",
      severity: "page",
      expr: `gateway_disk_free_bytes / (gateway_disk_size_bytes > 0) < ${String(diskLeft)}`,
      summary: "{{ $value | humanizePercentage }} of the disk of the engine is free",
      description: "It has the volumes, images and logs. Pulls of models fail when it is full.",
    },
    {
      name: "SharedStateAway",
      runbook: "shared-state-away",
      severity: "ticket",
      expr: "gateway_shared_state_up == 0",
      summary: "The gateway {{ $labels.instance }} cannot reach its shared state",
      description:
        "It continues with its share of slots and limits. Limits are no longer exact, and stored responses are missing.",
    },
    {
      name: "DriftFound",
      runbook: "drift-found",
      severity: "ticket",
      expr: "last_over_time(stack_drift_differences[2d]) > 0",
      immediate: true,
      summary: "{{ $value }} properties of the stack differ from what was deployed",
      description: "The last npm run drift found them.",
    },
  ];
  return [...definitions.map((each) => toAlert(each, settings)), ...burnRateAlerts(settings)];
}

function toAlert(definition: Definition, settings: MonitoringSettings): Alert {
  const { name, expr, severity, summary, description, runbook, immediate } = definition;
  return {
    alert: name,
    expr,
    ...(immediate === true ? {} : { for: `${String(settings.alertAfterSeconds)}s` }),
    labels: { severity },
    annotations: { summary, description, runbook_url: runbookUrl(settings, runbook) },
  };
}

/** Where models are to be on GPUs, less than all is too little; elsewhere, less than there was. */
function modelOnCpu({ hasGpus }: MonitoringSettings): string {
  const share = "gateway_backend_model_gpu_ratio";
  return hasGpus ? `${share} < 0.99` : `${share} < 0.99 * (max_over_time(${share}[1d]) > 0)`;
}

/** Restarts are rarer than requests: three times the window. */
function longer(window: string): string {
  return `${String(3 * Number.parseInt(window, 10))}s`;
}
