import * as z from "zod";

/**
 * Ollama options whose values crash the runner of Ollama 0.17.4, tested with the real one. Ollama clamps or ignores
 * invalid values of all other options in api/types.go. Test again with a new version of Ollama.
 */
interface FatalOption {
  /** What happens, and where in Ollama's sources. */
  readonly source: string;
  /** Values that crash the runner; tests send each to the gateway. */
  readonly fatal: readonly [number, ...number[]];
  /** Boundary values that the real Ollama accepts. */
  readonly allowed: readonly [number, ...number[]];
  readonly schema: z.ZodType<number>;
}

const SAMPLING = "llama.cpp/src/llama-sampling.cpp";
// For logits of 1e3 and penalties applied a million times, still far within a 32-bit float.
const MAX_FACTOR = 1e6;
const MIN_FACTOR = 1e-6;
const MIN_TEMPERATURE = 1e-20;
const MAX_WINDOW = 1_048_576;
const MAX_THREADS = 256;

const withinFloat = z.number().min(-MAX_FACTOR).max(MAX_FACTOR);

/**
 * Whether logits divided by the temperature remain finite. Zero and negative temperatures select the most likely token.
 */
function dividesLogits(temperature: number): boolean {
  return temperature <= 0 || temperature >= MIN_TEMPERATURE;
}

const TOO_COLD = { message: `expected 0, or ${String(MIN_TEMPERATURE)} at least` };

/** Schema of an API's own temperature, from 0. */
export function temperatureTo(highest: number) {
  return z.number().min(0).max(highest).refine(dividesLogits, TOO_COLD);
}

export const FATAL_OPTIONS = {
  temperature: {
    source: `${SAMPLING}: llama_sampler_dist_apply (no token has a probability; a float of 32 bits overflows)`,
    fatal: [1e-38, 1e-45, 1e39],
    allowed: [-1, 0, MIN_TEMPERATURE, 1e-7, MAX_FACTOR],
    schema: withinFloat.refine(dividesLogits, TOO_COLD),
  },
  repeat_penalty: {
    source: `${SAMPLING}: llama_sampler_penalties_apply (logits become infinite)`,
    fatal: [0, 1e-38, -1e38],
    allowed: [MIN_FACTOR, 1, MAX_FACTOR],
    schema: z.number().min(MIN_FACTOR).max(MAX_FACTOR),
  },
  presence_penalty: {
    source: `${SAMPLING}: llama_sampler_penalties_apply (logits become infinite)`,
    fatal: [-1e38, 3e38],
    allowed: [-MAX_FACTOR, MAX_FACTOR],
    schema: withinFloat,
  },
  frequency_penalty: {
    source: `${SAMPLING}: llama_sampler_penalties_apply (logits become infinite)`,
    fatal: [-1e38, 3e38],
    allowed: [-MAX_FACTOR, MAX_FACTOR],
    schema: withinFloat,
  },
  top_p: {
    source: "llm/server.go: Completion (no JSON for what a float of 32 bits does not hold; 500)",
    fatal: [1e39, -1e39],
    allowed: [-1, 0, 1, 2],
    schema: withinFloat,
  },
  min_p: {
    source: "llm/server.go: Completion (no JSON for what a float of 32 bits does not hold; 500)",
    fatal: [1e39, -1e39],
    allowed: [-1, 0, 1, 2],
    schema: withinFloat,
  },
  typical_p: {
    source: "llm/server.go: Completion (no JSON for what a float of 32 bits does not hold; 500)",
    fatal: [1e39, -1e39],
    allowed: [-1, 0, 1, 2],
    schema: withinFloat,
  },
  repeat_last_n: {
    source: `${SAMPLING}: llama_sampler_init_penalties (keeps that many tokens: 2,000,000,000 take 8 GB)`,
    fatal: [2_147_483_647, 2_000_000_000],
    allowed: [-1, 0, MAX_WINDOW],
    schema: z.int().min(-1).max(MAX_WINDOW),
  },
  num_batch: {
    source: "runner/llamarunner/runner.go: loadModel (unable to create llama context)",
    fatal: [0, 0.5, -1, -2_147_483_648],
    allowed: [1, 32, 1_000_000, 2_147_483_648],
    schema: z.int().min(1),
  },
  num_thread: {
    source:
      "ml/backend/ggml/ggml/src/ggml-cpu/ggml-cpu.c: ggml_barrier (512 threads that spin stall the machine)",
    fatal: [512, 513, 1_000_000],
    allowed: [-5, 0, 1],
    schema: z.number().max(MAX_THREADS),
  },
} as const satisfies Readonly<Record<string, FatalOption>>;

type Bounded = {
  readonly [Name in keyof typeof FATAL_OPTIONS]: z.ZodOptional<z.ZodNullable<z.ZodType<number>>>;
};

/** Schemas for these options in requests. */
export const boundedOptions = Object.fromEntries(
  Object.entries(FATAL_OPTIONS).map(([name, { schema }]) => [name, schema.nullish()]),
) as unknown as Bounded;
