import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from "prom-client";
import type { Admission } from "./admission.ts";
import { canonicalModelName } from "./ollama/model-name.ts";
import type { RequestRecord } from "./request-record.ts";

// The buckets of OpenTelemetry's GenAI conventions (0.01 s, doubling), and further for cold loads.
const DURATION_BUCKETS = [
  0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92, 163.84, 327.68,
];
const TIME_PER_TOKEN_BUCKETS = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1,
];

const SECOND = 1000;

/** The gateway's metrics. Where OpenTelemetry's GenAI conventions have a name, it is theirs. */
export class Metrics {
  readonly #registry = new Registry();
  /** The models Ollama has answered with: a client's word alone never becomes a label. */
  readonly #models = new Set<string>();
  readonly #requests: Counter<"route" | "method" | "status">;
  readonly #failures: Counter<"route" | "code">;
  readonly #duration: Histogram<"gen_ai_request_model" | "error_type">;
  readonly #firstToken: Histogram<"gen_ai_request_model">;
  readonly #timePerToken: Histogram<"gen_ai_request_model">;
  readonly #tokens: Counter<"gen_ai_request_model" | "gen_ai_token_type">;

  constructor(admission: Admission) {
    const registers = [this.#registry];
    collectDefaultMetrics({ register: this.#registry });
    this.#requests = new Counter({
      name: "http_requests_total",
      help: "Requests that ended, by route, method and status (499: the client left before a status was sent).",
      labelNames: ["route", "method", "status"],
      registers,
    });
    this.#failures = new Counter({
      name: "gateway_request_failures_total",
      help: "Requests that ended with an error, those that failed in mid-stream or whose client left included.",
      labelNames: ["route", "code"],
      registers,
    });
    new Gauge({
      name: "gateway_requests_in_flight",
      help: "Generating requests being served.",
      registers,
      collect() {
        this.set(admission.inFlight);
      },
    });
    this.#duration = new Histogram({
      name: "gen_ai_server_request_duration_seconds",
      help: "Time from a generating request's arrival to its end.",
      labelNames: ["gen_ai_request_model", "error_type"],
      buckets: DURATION_BUCKETS,
      registers,
    });
    this.#firstToken = new Histogram({
      name: "gen_ai_server_time_to_first_token_seconds",
      help: "Time from a generating request's arrival to its first token; a cold load is in it.",
      labelNames: ["gen_ai_request_model"],
      buckets: DURATION_BUCKETS,
      registers,
    });
    this.#timePerToken = new Histogram({
      name: "gen_ai_server_time_per_output_token_seconds",
      help: "Time per token after the first, of answers that were completed.",
      labelNames: ["gen_ai_request_model"],
      buckets: TIME_PER_TOKEN_BUCKETS,
      registers,
    });
    this.#tokens = new Counter({
      name: "gen_ai_client_token_usage_total",
      help: "Tokens read (input) and generated (output), of answers that were completed.",
      labelNames: ["gen_ai_request_model", "gen_ai_token_type"],
      registers,
    });
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  expose(): Promise<string> {
    return this.#registry.metrics();
  }

  /** Counts a request that has ended. */
  count(route: string, method: string, status: number, record: RequestRecord): void {
    this.#requests.inc({ route, method, status });
    if (record.error !== undefined) this.#failures.inc({ route, code: record.error.code });
    if (record.model === undefined) return;

    const total = record.elapsedMs() / SECOND;
    const model = this.#modelLabel(record.model, record.firstTokenMs !== undefined);
    this.#duration.observe({ gen_ai_request_model: model, error_type: record.error?.code ?? "" }, total);
    if (record.firstTokenMs === undefined) return;
    const firstToken = record.firstTokenMs / SECOND;
    this.#firstToken.observe({ gen_ai_request_model: model }, firstToken);
    if (record.usage === undefined) return;
    const { prompt_tokens: input, completion_tokens: output } = record.usage;
    this.#tokens.inc({ gen_ai_request_model: model, gen_ai_token_type: "input" }, input);
    this.#tokens.inc({ gen_ai_request_model: model, gen_ai_token_type: "output" }, output);
    if (output > 1) {
      this.#timePerToken.observe(
        { gen_ai_request_model: model },
        Math.max(0, total - firstToken) / (output - 1),
      );
    }
  }

  #modelLabel(name: string, answered: boolean): string {
    const label = canonicalModelName(name);
    if (answered) this.#models.add(label);
    return this.#models.has(label) ? label : "unknown";
  }
}
