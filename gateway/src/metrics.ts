import { Counter, Histogram, Registry, collectDefaultMetrics } from "prom-client";
import type { Admission } from "./admission.ts";
import type { Backends } from "./backends.ts";
import { registerGauges } from "./gauges.ts";
import type { LoadOutcome } from "./loads.ts";
import { OPERATIONS } from "./operations.ts";
import type { RequestRecord } from "./request-record.ts";
import type { SpanExporter } from "./span-exporter.ts";

// The buckets of OpenTelemetry's GenAI conventions (0.01 s, doubling), and further for cold loads.
const DURATION_BUCKETS = [
  0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92, 163.84, 327.68,
];
const TIME_PER_TOKEN_BUCKETS = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1,
];
const TOKEN_BUCKETS = [1, 4, 16, 64, 256, 1024, 4096, 16_384, 65_536, 262_144, 1_048_576];

// Answered without asking Ollama to generate.
const REFUSALS: ReadonlySet<string> = new Set([
  "queue_full",
  "queue_timeout",
  "shutting_down",
  "upstream_unreachable",
  "invalid_api_key",
  "model_not_allowed",
  "admin_key_required",
  "rate_limit_exceeded",
]);

const SECOND = 1000;

type Operation = "gen_ai_operation_name" | "gen_ai_provider_name" | "gen_ai_request_model";

/** The gateway's metrics. Where OpenTelemetry's GenAI conventions have a name, it is theirs. */
export class Metrics {
  readonly #registry = new Registry();
  /** The models Ollama has answered with: a client's word alone never becomes a label. */
  readonly #models = new Set<string>();
  readonly #requests = this.#counter(
    "http_requests_total",
    "Requests that ended, by route, method and status (499: the client left before a status was sent).",
    ["route", "method", "status"],
  );
  readonly #failures = this.#counter(
    "gateway_request_failures_total",
    "Requests that ended with an error, those that failed in mid-stream or whose client left included.",
    ["route", "code"],
  );
  readonly #refusals = this.#counter(
    "gateway_refusals_total",
    "Requests that were turned away before Ollama was to generate, by reason.",
    ["reason"],
  );
  readonly #aborts = this.#counter(
    "gateway_client_aborts_total",
    "Generating requests whose client left or stalled, by what they had come to: queue, load, prompt or answer.",
    ["stage"],
  );
  readonly #cut = this.#counter(
    "gateway_stream_failures_total",
    "Streams that failed after they had begun, by error.",
    ["code"],
  );
  readonly #keyTokens = this.#counter(
    "gateway_key_tokens_total",
    "Tokens read and generated for each API key.",
    ["key"],
  );
  readonly #duration = this.#histogram<Operation | "error_type">(
    "gen_ai_server_request_duration_seconds",
    "Time from an admitted request's arrival to its end.",
    ["gen_ai_operation_name", "gen_ai_provider_name", "gen_ai_request_model", "error_type"],
  );
  readonly #operation = this.#histogram<Operation | "error_type">(
    "gen_ai_client_operation_duration_seconds",
    "Time that a request held a slot of an Ollama server.",
    ["gen_ai_operation_name", "gen_ai_provider_name", "gen_ai_request_model", "error_type"],
  );
  readonly #firstToken = this.#histogram(
    "gen_ai_server_time_to_first_token_seconds",
    "Time from a generating request's arrival to its first token; the queue and a cold load are in it.",
    ["gen_ai_request_model"],
  );
  readonly #timePerToken = this.#histogram(
    "gen_ai_server_time_per_output_token_seconds",
    "Time per token after the first, of answers that were completed.",
    ["gen_ai_request_model"],
    TIME_PER_TOKEN_BUCKETS,
  );
  readonly #tokens = this.#histogram(
    "gen_ai_client_token_usage",
    "Tokens read (input) and generated (output) for a request, of answers that were completed.",
    ["gen_ai_operation_name", "gen_ai_provider_name", "gen_ai_request_model", "gen_ai_token_type"],
    TOKEN_BUCKETS,
  );
  readonly #queue = this.#histogram(
    "gateway_queue_duration_seconds",
    "How long requests waited for a slot; the load of their model is not in it.",
    [],
  );
  readonly #load = this.#histogram(
    "gateway_model_load_duration_seconds",
    "How long loads of models took, one for all requests that waited for it.",
    ["gen_ai_request_model", "error_type"],
  );
  readonly #prompt = this.#histogram(
    "gateway_prompt_duration_seconds",
    "How long Ollama read the prompt, as it says itself.",
    ["gen_ai_request_model"],
  );
  readonly #generation = this.#histogram(
    "gateway_generation_duration_seconds",
    "How long Ollama generated, as it says itself.",
    ["gen_ai_request_model"],
  );

  constructor(admission: Admission, backends: Backends, exporter: SpanExporter | undefined) {
    collectDefaultMetrics({ register: this.#registry });
    registerGauges(this.#registry, admission, backends, exporter);
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  expose(): Promise<string> {
    return this.#registry.metrics();
  }

  /** Counts a load that has ended. */
  countLoad({ model, milliseconds, error }: LoadOutcome): void {
    // Only a model that is present is loaded.
    this.#models.add(model);
    this.#load.observe({ gen_ai_request_model: model, error_type: error?.code ?? "" }, milliseconds / SECOND);
  }

  /** Counts a request that has ended. */
  count(route: string, method: string, status: number, record: RequestRecord): void {
    this.#requests.inc({ route, method, status });
    if (record.error !== undefined) this.#countFailure(route, status, record, record.error.code);
    const { admitted } = record;
    if (admitted === undefined) return;

    const total = record.elapsedMs() / SECOND;
    const answered = record.firstTokenMs !== undefined || record.usage !== undefined;
    const operation = {
      gen_ai_operation_name: OPERATIONS[admitted.wanted.path] ?? "other",
      gen_ai_provider_name: "ollama",
      gen_ai_request_model: this.#modelLabel(admitted.wanted.model, answered),
    };
    const labels = { ...operation, error_type: record.error?.code ?? "" };
    this.#duration.observe(labels, total);
    if (admitted.ran) {
      this.#operation.observe(labels, admitted.heldMs() / SECOND);
      this.#queue.observe(admitted.queueMs / SECOND);
    }
    if (answered) this.#countAnswer(operation, total, record);
  }

  countTokens(key: string, tokens: number): void {
    this.#keyTokens.inc({ key }, tokens);
  }

  #countFailure(route: string, status: number, record: RequestRecord, code: string): void {
    this.#failures.inc({ route, code });
    if (REFUSALS.has(code) && record.firstTokenMs === undefined) this.#refusals.inc({ reason: code });
    if (record.admitted === undefined) return;
    if (code === "client_left" || code === "client_stalled") this.#aborts.inc({ stage: record.stage });
    else if (record.stream === true && status === 200) this.#cut.inc({ code });
  }

  /** What is embedded is read, but nothing is generated. */
  #countAnswer(operation: Record<Operation, string>, total: number, record: RequestRecord): void {
    const labels = { gen_ai_request_model: operation.gen_ai_request_model };
    const { firstTokenMs, usage } = record;
    if (firstTokenMs !== undefined) this.#firstToken.observe(labels, firstTokenMs / SECOND);
    if (usage === undefined) return;
    this.#prompt.observe(labels, record.promptMs / SECOND);
    const { prompt_tokens: input, completion_tokens: output } = usage;
    this.#tokens.observe({ ...operation, gen_ai_token_type: "input" }, input);
    if (firstTokenMs === undefined) return;
    this.#tokens.observe({ ...operation, gen_ai_token_type: "output" }, output);
    this.#generation.observe(labels, record.generationMs / SECOND);
    if (output > 1) {
      this.#timePerToken.observe(labels, Math.max(0, total - firstTokenMs / SECOND) / (output - 1));
    }
  }

  #modelLabel(label: string, answered: boolean): string {
    if (answered) this.#models.add(label);
    return this.#models.has(label) ? label : "unknown";
  }

  #counter<Label extends string>(name: string, help: string, labelNames: Label[]): Counter<Label> {
    return new Counter({ name, help, labelNames, registers: [this.#registry] });
  }

  #histogram<Label extends string>(
    name: string,
    help: string,
    labelNames: Label[],
    buckets = DURATION_BUCKETS,
  ): Histogram<Label> {
    return new Histogram({ name, help, labelNames, buckets, registers: [this.#registry] });
  }
}
