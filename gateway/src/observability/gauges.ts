import { Gauge, type Registry } from "./prom-client.ts";
import type { Scheduler } from "../scheduling/scheduler.ts";
import type { Backend } from "../backends/backend.ts";
import type { BackendPool } from "../backends/backend-pool.ts";
import type { DiscoveredName } from "../backends/discovered-name.ts";
import type { ModelMemory } from "../backends/loaded-models.ts";
import { canonicalModelName } from "../ollama/model-name.ts";
import type { SpanExporter } from "./otlp-exporter.ts";

/** Status of the state shared with other gateways. */
export interface SharedStateStatus {
  readonly isUp: boolean;
  readonly failures: number;
  readonly gateways: number;
}

/** Status of the standby election. */
export interface StandbyStatus {
  readonly isActive: boolean;
  readonly changes: number;
}

/** What the gauges read. */
export interface GaugeSources {
  readonly scheduler: Scheduler;
  readonly backends: BackendPool;
  /** Undefined if no state is shared. */
  readonly shared: SharedStateStatus | undefined;
  /** Undefined if there is no standby. */
  readonly standby: StandbyStatus | undefined;
  /** Undefined if spans are not exported. */
  readonly exporter: SpanExporter | undefined;
  readonly queueLimit: number;
  /** The required models, as configured. */
  readonly requiredModels: readonly string[];
}

/** Registers gauges of the current state, which are computed on each scrape and cost nothing per request. */
export function registerGauges(
  registry: Registry,
  { scheduler, backends, shared, standby, exporter, queueLimit, requiredModels }: GaugeSources,
): void {
  const gauge = (name: string, help: string, value: () => number): void => {
    new Gauge({
      name,
      help,
      registers: [registry],
      collect() {
        this.set(value());
      },
    });
  };
  const eachBackend = (name: string, help: string, value: (backend: Backend) => number): void => {
    new Gauge({
      name,
      help,
      labelNames: ["backend"],
      registers: [registry],
      collect() {
        // Drops the series of removed backends.
        this.reset();
        for (const backend of backends.all) this.set({ backend: backend.name }, value(backend));
      },
    });
  };

  gauge("gateway_requests_in_flight", "Requests with a slot of an Ollama server.", () => scheduler.inFlight);
  gauge("gateway_queue_depth", "Requests waiting for a slot or a model load.", () => scheduler.waiting);
  gauge(
    "gateway_queue_limit",
    "Maximum number of waiting requests; further ones are rejected with 503.",
    () => queueLimit,
  );
  gauge("gateway_loads_under_way", "Model loads in progress.", () => backends.loader.count);
  if (shared !== undefined) {
    gauge(
      "gateway_shared_state_up",
      "1 while slots and limits are shared with other gateways, 0 while this one uses its own share.",
      () => Number(shared.isUp),
    );
    gauge(
      "gateway_shared_state_gateways",
      "Gateways that share slots and limits, as last reported.",
      () => shared.gateways,
    );
    gauge(
      "gateway_shared_state_failures",
      "Number of times that the shared state became unreachable since startup.",
      () => shared.failures,
    );
  }
  if (standby !== undefined) {
    gauge("gateway_active", "1 while this gateway is active, 0 while it stands by.", () =>
      Number(standby.isActive),
    );
    gauge(
      "gateway_active_changes",
      "Number of times that this gateway became active or ceased to be since startup.",
      () => standby.changes,
    );
  }
  if (exporter !== undefined) {
    gauge(
      "gateway_spans_dropped",
      "Spans dropped because the collector did not accept them.",
      () => exporter.dropped,
    );
  }
  const eachName = (name: string, help: string, value: (each: DiscoveredName) => number): void => {
    new Gauge({
      name,
      help,
      labelNames: ["name"],
      registers: [registry],
      collect() {
        for (const each of backends.members.names) this.set({ name: each.name }, value(each));
      },
    });
  };
  if (backends.members.isDynamic) {
    eachName(
      "gateway_backend_discovery_addresses",
      "Ollama servers that the DNS name resolves to.",
      ({ addresses }) => addresses.length,
    );
    eachName(
      "gateway_backend_discovery_failing",
      "1 if the last lookup of the DNS name failed, so that the previous servers stay in use.",
      ({ failure }) => Number(failure !== undefined),
    );
  }
  eachBackend("gateway_backend_up", "1 if the Ollama server responded to the last probe.", (backend) =>
    Number(backend.alive),
  );
  eachBackend(
    "gateway_backend_breaker_open",
    "1 while the circuit breaker of the Ollama server is open or half-open.",
    (backend) => Number(backend.breaker.state !== "closed"),
  );
  eachBackend(
    "gateway_backend_slots",
    "Number of concurrent requests of the Ollama server.",
    ({ slots }) => slots,
  );
  eachBackend(
    "gateway_backend_requests_in_flight",
    "Requests of this gateway running on the Ollama server.",
    ({ inFlight }) => inFlight,
  );
  eachBackend(
    "gateway_backend_models_loaded",
    "Models loaded by the Ollama server.",
    ({ loaded }) => loaded.count,
  );
  registerModelGauges(registry, backends, requiredModels);
}

function registerModelGauges(
  registry: Registry,
  backends: BackendPool,
  requiredModels: readonly string[],
): void {
  const required = requiredModels.map((name) => ({ name, model: canonicalModelName(name) }));
  new Gauge({
    name: "gateway_required_model_present",
    help: "1 if an Ollama server has the model, 0 if none has; absent while no server responds.",
    labelNames: ["gen_ai_request_model"],
    registers: [registry],
    collect() {
      this.reset();
      if (!backends.all.some(({ alive, hasModelList }) => alive && hasModelList)) return;
      const missing = new Set(backends.missingModels(required.map(({ model }) => model)));
      for (const { name, model } of required) {
        this.set({ gen_ai_request_model: name }, missing.has(model) ? 0 : 1);
      }
    },
  });
  const ofModels = (name: string, help: string, value: (memory: ModelMemory) => number): void => {
    new Gauge({
      name,
      help,
      labelNames: ["backend", "gen_ai_request_model"],
      registers: [registry],
      collect() {
        this.reset();
        for (const backend of backends.all) {
          if (!backend.alive) continue;
          for (const [model, memory] of backend.loaded.memory()) {
            this.set({ backend: backend.name, gen_ai_request_model: model }, value(memory));
          }
        }
      },
    });
  };
  ofModels(
    "gateway_backend_model_bytes",
    "Memory used by a loaded model, on GPUs or not.",
    ({ bytes }) => bytes,
  );
  ofModels(
    "gateway_backend_model_gpu_ratio",
    "Share of a loaded model that is in GPU memory.",
    ({ bytes, gpuBytes }) => (bytes === 0 ? 0 : gpuBytes / bytes),
  );
}
