/**
 * The options that Ollama loads a model with (`Runner` in its api/types.go): a request with another value of any of
 * them has the model loaded again for everybody (`needsReload` in server/sched.go). `use_imagegen_runner` does the same,
 * though it is no option of the runner.
 */
const RUNNER_OPTIONS = [
  "num_ctx",
  "num_batch",
  "num_gpu",
  "main_gpu",
  "use_mmap",
  "num_thread",
  "use_imagegen_runner",
] as const;

export type RunnerOptions = Readonly<Partial<Record<(typeof RUNNER_OPTIONS)[number], unknown>>>;

/** Those of a request's options that its model is loaded with; undefined: none, so that the model's own count. */
export function runnerOptionsOf(options: RunnerOptions | null | undefined): RunnerOptions | undefined {
  if (options === undefined || options === null) return undefined;
  let found: { -readonly [Name in keyof RunnerOptions]: RunnerOptions[Name] } | undefined;
  for (const name of RUNNER_OPTIONS) {
    const value = options[name];
    if (value !== undefined && value !== null) (found ??= {})[name] = value;
  }
  return found;
}

/** The same text for options that run on the same load, whatever its context; empty without any. */
export function runnerKeyOf(options: RunnerOptions): string {
  const { num_gpu: layers } = options;
  // With fewer layers than none, Ollama takes what is loaded.
  const ignored = {
    num_ctx: undefined,
    ...(typeof layers === "number" && layers < 0 && { num_gpu: undefined }),
  };
  const key = JSON.stringify({ ...options, ...ignored });
  return key === "{}" ? "" : key;
}
