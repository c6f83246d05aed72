import { Registry, collectDefaultMetrics } from "./prom-client.ts";
import type { FastifyBaseLogger } from "fastify";
import type { Destination } from "./otlp-exporter.ts";
import { MetricsExporter } from "./otlp-metrics.ts";
import { type GaugeSources, registerGauges } from "./gauges.ts";
import { registerResourceGauges, type CertificateAddress } from "./resource-gauges.ts";
import type { LoadOutcome } from "../backends/model-loader.ts";
import { OPERATIONS } from "./operation-names.ts";
import type { RequestRecord } from "./request-record.ts";
import { TupleMap } from "../lib/tuple-map.ts";
import { CounterFamily, type HistogramSeries, HistogramFamily } from "./metric-families.ts";

// Buckets of OpenTelemetry's GenAI conventions (0.01 s, doubling), extended for cold loads.
const DURATION_BUCKETS = [
  0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92, 163.84, 327.68,
];
const TIME_PER_TOKEN_BUCKETS = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1,
];
const TOKEN_BUCKETS = [1, 4, 16, 64, 256, 1024, 4096, 16_384, 65_536, 262_144, 1_048_576];

// Errors of requests rejected before generation.
const REJECTIONS: ReadonlySet<string> = new Set([
  "bodies_full",
  "queue_full",
  "queue_timeout",
  "shutting_down",
  "upstream_unreachable",
  "invalid_api_key",
  "api_key_expired",
  "api_key_disabled",
  "route_not_allowed",
  "address_not_allowed",
  "origin_not_allowed",
  "host_not_allowed",
  "model_not_allowed",
  "admin_key_required",
  "rate_limit_exceeded",
  "consoles_full",
]);

const SECOND = 1000;

type Operation = "gen_ai_operation_name" | "gen_ai_provider_name" | "gen_ai_request_model";

interface MetricsOptions {
  /** Objective for the time to the first token, in milliseconds. */
  readonly objectiveMs: number;
  /** Where to read the certificate to monitor; undefined for none. */
  readonly certificate: CertificateAddress | undefined;
}

/** Series for one operation, model and error. */
type RequestSeries = Readonly<
  Record<
    | "duration"
    | "operation"
    | "queue"
    | "firstToken"
    | "prompt"
    | "input"
    | "output"
    | "generation"
    | "timePerToken",
    HistogramSeries
  >
>;

/** The gateway's metrics. Names follow OpenTelemetry's GenAI conventions where those define one. */
export class Metrics {
  readonly #registry = new Registry();
  /** Models that Ollama has responded with: client input alone never becomes a label. */
  readonly #models = new Set<string>();
  readonly #series = new TupleMap<RequestSeries>();
  readonly #requests = this.#counter(
    "http_requests_total",
    "Finished requests, by route, method and status (499: the client disconnected before a status was sent).",
    ["route", "method", "status"],
  );
  readonly #failures = this.#counter(
    "gateway_request_failures_total",
    "Requests that failed, including failures in mid-stream and disconnected clients, by route and error code.",
    ["route", "code"],
  );
  readonly #rejections = this.#counter(
    "gateway_refusals_total",
    "Requests rejected before generation, by reason.",
    ["reason"],
  );
  readonly #ignored = this.#counter(
    "gateway_ignored_parameters_total",
    "Ignored request parameters, by route.",
    ["route"],
  );
  readonly #aborts = this.#counter(
    "gateway_client_aborts_total",
    "Generation requests whose client disconnected or stalled, by phase: queue, load, prompt or answer.",
    ["stage"],
  );
  readonly #aborted = this.#counter(
    "gateway_stream_failures_total",
    "Streams that failed after the response had begun, by error code.",
    ["code"],
  );
  readonly #keyTokens = this.#counter(
    "gateway_key_tokens_total",
    "Prompt and generated tokens, by API key.",
    ["key"],
  );
  readonly #duration = this.#histogram<Operation | "error_type">(
    "gen_ai_server_request_duration_seconds",
    "Total time of admitted requests.",
    ["gen_ai_operation_name", "gen_ai_provider_name", "gen_ai_request_model", "error_type"],
  );
  readonly #operation = this.#histogram<Operation | "error_type">(
    "gen_ai_client_operation_duration_seconds",
    "Time that requests held a slot of an Ollama server.",
    ["gen_ai_operation_name", "gen_ai_provider_name", "gen_ai_request_model", "error_type"],
  );
  readonly #firstToken: HistogramFamily<Operation>;
  readonly #timePerToken = this.#histogram(
    "gen_ai_server_time_per_output_token_seconds",
    "Time per token after the first, of completed responses.",
    ["gen_ai_operation_name", "gen_ai_provider_name", "gen_ai_request_model"],
    TIME_PER_TOKEN_BUCKETS,
  );
  readonly #tokens = this.#histogram(
    "gen_ai_client_token_usage",
    "Prompt (input) and generated (output) tokens of completed responses.",
    ["gen_ai_operation_name", "gen_ai_provider_name", "gen_ai_request_model", "gen_ai_token_type"],
    TOKEN_BUCKETS,
  );
  readonly #queue = this.#histogram(
    "gateway_queue_duration_seconds",
    "Time that requests waited for a slot, excluding model loads.",
    [],
  );
  readonly #load = this.#histogram(
    "gateway_model_load_duration_seconds",
    "Duration of model loads, each counted once regardless of the number of waiting requests.",
    ["gen_ai_request_model", "error_type"],
  );
  readonly #prompt = this.#histogram(
    "gateway_prompt_duration_seconds",
    "Prompt processing time, as reported by Ollama.",
    ["gen_ai_request_model"],
  );
  readonly #generation = this.#histogram(
    "gateway_generation_duration_seconds",
    "Generation time, as reported by Ollama.",
    ["gen_ai_request_model"],
  );

  /** @param objectiveMs gets an exact bucket */
  constructor(sources: GaugeSources, { objectiveMs, certificate }: MetricsOptions) {
    collectDefaultMetrics({ register: this.#registry });
    registerGauges(this.#registry, sources);
    registerResourceGauges(this.#registry, certificate);
    const bounds = new Set([...DURATION_BUCKETS, objectiveMs / SECOND]);
    this.#firstToken = this.#histogram(
      "gen_ai_server_time_to_first_token_seconds",
      "Time from the arrival of a generation request to its first token, including queue and model load.",
      ["gen_ai_operation_name", "gen_ai_provider_name", "gen_ai_request_model"],
      [...bounds].sort((a, b) => a - b),
    );
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** Exports all metrics to a collector periodically, until closed. */
  exportTo(destination: Destination, logger: FastifyBaseLogger): MetricsExporter {
    return new MetricsExporter(destination, this.#registry, logger);
  }

  expose(): Promise<string> {
    return this.#registry.metrics();
  }

  /** Counts a finished load. */
  countLoad({ model, milliseconds, error }: LoadOutcome): void {
    // Only installed models are loaded.
    this.#models.add(model);
    this.#load
      .of({ gen_ai_request_model: model, error_type: error?.code ?? "" })
      .observe(milliseconds / SECOND);
  }

  /**
   * Counts a finished request.
   *
   * @returns the label of its model, if it got that far
   */
  count(route: string, method: string, status: number, record: RequestRecord): string | undefined {
    this.#requests.of({ route, method, status: `${status}` }).add();
    if (record.error !== undefined) this.#countFailure(route, status, record, record.error.code);
    const { admitted, ignoredParameters } = record;
    if (ignoredParameters !== undefined) this.#ignored.of({ route }).add(ignoredParameters.size);
    if (admitted === undefined) return undefined;

    const total = record.elapsedMs() / SECOND;
    const hasResponse = record.firstTokenMs !== undefined || record.usage !== undefined;
    const model = this.#modelLabel(admitted.requirement.model, hasResponse);
    const series = this.#seriesOf(admitted.requirement.path, model, record.error?.code ?? "");
    series.duration.observe(total);
    if (admitted.ran) {
      series.operation.observe(admitted.heldMs / SECOND);
      series.queue.observe(admitted.queueMs / SECOND);
    }
    if (hasResponse) countResponse(series, total, record);
    return model;
  }

  countTokens(key: string, tokens: number): void {
    this.#keyTokens.of({ key }).add(tokens);
  }

  #countFailure(route: string, status: number, record: RequestRecord, code: string): void {
    this.#failures.of({ route, code }).add();
    if (REJECTIONS.has(code) && record.firstTokenMs === undefined)
      this.#rejections.of({ reason: code }).add();
    if (record.admitted === undefined) return;
    if (code === "client_left" || code === "client_stalled") this.#aborts.of({ stage: record.stage }).add();
    else if (record.stream === true && status === 200) this.#aborted.of({ code }).add();
  }

  /** Returns the series for a kind of request, cached. */
  #seriesOf(path: string, model: string, error: string): RequestSeries {
    const key = [path, error, model];
    let series = this.#series.get(key);
    if (series === undefined) {
      const modelLabels = { gen_ai_request_model: model };
      const operation = {
        gen_ai_operation_name: OPERATIONS[path] ?? "other",
        gen_ai_provider_name: "ollama",
        ...modelLabels,
      };
      const labels = { ...operation, error_type: error };
      series = {
        duration: this.#duration.of(labels),
        operation: this.#operation.of(labels),
        queue: this.#queue.of({}),
        firstToken: this.#firstToken.of(operation),
        prompt: this.#prompt.of(modelLabels),
        input: this.#tokens.of({ ...operation, gen_ai_token_type: "input" }),
        output: this.#tokens.of({ ...operation, gen_ai_token_type: "output" }),
        generation: this.#generation.of(modelLabels),
        timePerToken: this.#timePerToken.of(operation),
      };
      this.#series.set(key, series);
    }
    return series;
  }

  #modelLabel(label: string, hasResponse: boolean): string {
    if (hasResponse) this.#models.add(label);
    return this.#models.has(label) ? label : "unknown";
  }

  #counter<Label extends string>(name: string, help: string, labelNames: Label[]): CounterFamily<Label> {
    return new CounterFamily({ name, help, labelNames }, this.#registry);
  }

  #histogram<Label extends string>(
    name: string,
    help: string,
    labelNames: Label[],
    buckets = DURATION_BUCKETS,
  ): HistogramFamily<Label> {
    return new HistogramFamily({ name, help, labelNames }, buckets, this.#registry);
  }
}

/** Embedding requests have prompt tokens only. */
function countResponse(series: RequestSeries, total: number, record: RequestRecord): void {
  const { firstTokenMs, usage } = record;
  if (firstTokenMs !== undefined) series.firstToken.observe(firstTokenMs / SECOND);
  if (usage === undefined) return;
  series.prompt.observe(record.promptMs / SECOND);
  const { prompt_tokens: input, completion_tokens: output } = usage;
  series.input.observe(input);
  if (firstTokenMs === undefined) return;
  series.output.observe(output);
  series.generation.observe(record.generationMs / SECOND);
  // With multiple responses, the time between tokens includes more than generation.
  if (output > 1 && record.responses === 1)
    series.timePerToken.observe(Math.max(0, total - firstTokenMs / SECOND) / (output - 1));
}
