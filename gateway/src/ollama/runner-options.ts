/**
 * Options that Ollama loads a model with (`Runner` in api/types.go): a different value makes it reload the model
 * (`needsReload` in server/sched.go). So does `use_imagegen_runner`, although it is not part of `Runner`.
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

/** Picks the options that affect the load; undefined if there are none. */
export function runnerOptionsOf(options: RunnerOptions | null | undefined): RunnerOptions | undefined {
  if (options === undefined || options === null) return undefined;
  let picked: { -readonly [Name in keyof RunnerOptions]: RunnerOptions[Name] } | undefined;
  for (const name of RUNNER_OPTIONS) {
    const value = options[name];
    if (value !== undefined && value !== null) (picked ??= {})[name] = value;
  }
  return picked;
}

/**
 * Returns a key that is equal for options that can share a loaded model, apart from the context length; empty without
 * options.
 */
export function runnerKeyOf(options: RunnerOptions): string {
  const { num_gpu: layers } = options;
  // Ollama ignores a negative number of layers.
  const ignored = {
    num_ctx: undefined,
    ...(typeof layers === "number" && layers < 0 && { num_gpu: undefined }),
  };
  const key = JSON.stringify({ ...options, ...ignored });
  return key === "{}" ? "" : key;
}
