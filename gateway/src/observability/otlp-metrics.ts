import type { FastifyBaseLogger } from "fastify";
import type { Registry } from "prom-client";
import { type Destination, OtlpExporter } from "./otlp-exporter.ts";

// Counts are totals since the start of the process.
const CUMULATIVE = 2;

/** A metric family in prom-client's registry format. */
interface Family {
  readonly name: string;
  readonly help: string;
  readonly type: unknown;
  readonly values: readonly Sample[];
}

interface Sample {
  readonly metricName?: string | undefined;
  readonly labels: Readonly<Partial<Record<string, string | number>>>;
  readonly value: number;
}

/** Labels that have another name in OpenTelemetry's conventions. */
const ATTRIBUTES: Readonly<Record<string, string>> = {
  gen_ai_operation_name: "gen_ai.operation.name",
  gen_ai_provider_name: "gen_ai.provider.name",
  gen_ai_request_model: "gen_ai.request.model",
  gen_ai_token_type: "gen_ai.token.type",
  error_type: "error.type",
  route: "http.route",
  method: "http.request.method",
  status: "http.response.status_code",
};

/** Metrics that have another name in OpenTelemetry's conventions, with their unit. */
const METRICS: Readonly<Record<string, readonly [name: string, unit: string]>> = {
  gen_ai_server_request_duration_seconds: ["gen_ai.server.request.duration", "s"],
  gen_ai_server_time_to_first_token_seconds: ["gen_ai.server.time_to_first_token", "s"],
  gen_ai_server_time_per_output_token_seconds: ["gen_ai.server.time_per_output_token", "s"],
  gen_ai_client_operation_duration_seconds: ["gen_ai.client.operation.duration", "s"],
  gen_ai_client_token_usage: ["gen_ai.client.token.usage", "{token}"],
};

/** Exports all metrics. After a failure, the next export includes what was counted meanwhile. */
export class MetricsExporter extends OtlpExporter {
  readonly #registry: Registry;

  constructor(destination: Destination, registry: Registry, logger: FastifyBaseLogger) {
    super(destination, logger);
    this.#registry = registry;
  }

  /** Sends the current values. */
  protected override async send(): Promise<void> {
    await this.post(
      "/v1/metrics",
      async (resource, scope) => {
        const families = (await this.#registry.getMetricsAsJSON()) as unknown as Family[];
        const metrics = toOtlp(families, performance.timeOrigin, Date.now());
        return { resourceMetrics: [{ resource, scopeMetrics: [{ scope, metrics }] }] };
      },
      {
        message: "cannot export metrics",
        hint: "set OTEL_METRICS_EXPORTER=none to disable the export",
      },
    );
  }
}

/** @param startedAt when counting began, like `now` in Unix milliseconds */
function toOtlp(families: readonly Family[], startedAt: number, now: number): object[] {
  const times = { startTimeUnixNano: nanoseconds(startedAt), timeUnixNano: nanoseconds(now) };
  return families.flatMap((family) => {
    if (family.values.length === 0) return [];
    const [name, unit] = METRICS[family.name] ?? [family.name, ""];
    const common = { name, description: family.help, ...(unit === "" ? {} : { unit }) };
    if (family.type === "histogram") {
      return {
        ...common,
        histogram: { aggregationTemporality: CUMULATIVE, dataPoints: histograms(family, times) },
      };
    }
    const dataPoints = family.values
      .filter(({ value }) => Number.isFinite(value))
      .map(({ labels, value }) => ({ ...times, asDouble: value, attributes: attributesOf(labels) }));
    return family.type === "counter"
      ? { ...common, sum: { aggregationTemporality: CUMULATIVE, isMonotonic: true, dataPoints } }
      : { ...common, gauge: { dataPoints } };
  });
}

/** One data point per combination of labels. Prometheus' buckets are cumulative, OTLP's are not. */
function histograms({ name, values }: Family, times: object): object[] {
  const series = Map.groupBy(values, ({ labels }) => JSON.stringify({ ...labels, le: undefined }));
  return [...series].map(([labels, samples]) => {
    const buckets = samples.filter(({ metricName }) => metricName === `${name}_bucket`);
    const total = (suffix: string): number =>
      samples.find(({ metricName }) => metricName === `${name}_${suffix}`)?.value ?? 0;
    let below = 0;
    const bucketCounts = buckets.map(({ value }) => {
      const count = value - below;
      below = value;
      return String(count);
    });
    return {
      ...times,
      count: String(total("count")),
      sum: total("sum"),
      bucketCounts,
      explicitBounds: buckets.map(({ labels: { le } }) => Number(le)).filter(Number.isFinite),
      attributes: attributesOf(JSON.parse(labels) as Sample["labels"]),
    };
  });
}

/** Successful requests have no error attribute. */
function attributesOf(labels: Sample["labels"]): object[] {
  return Object.entries(labels)
    .filter(([, value]) => value !== "" && value !== undefined)
    .map(([label, value]) => ({
      key: ATTRIBUTES[label] ?? label,
      value: label === "status" ? { intValue: Number(value) } : { stringValue: String(value) },
    }));
}

function nanoseconds(ms: number): string {
  return `${BigInt(Math.round(ms)) * 1_000_000n}`;
}
