import type { BackendPool } from "../backends/backend-pool.ts";
import type { ModelFacts } from "../backends/model-facts.ts";

/**
 * Returns what Ollama knows about a model. The lookup may be shared, so aborting the signal stops only this wait.
 *
 * @throws ApiError the signal's reason, or the failure of the lookup
 */
export function factsUnlessAborted(
  backends: BackendPool,
  model: string,
  signal: AbortSignal,
): Promise<ModelFacts> {
  const known = backends.knownFacts(model);
  if (known !== undefined) return Promise.resolve(known);
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      reject(signal.reason as Error);
    };
    if (signal.aborted) onAbort();
    signal.addEventListener("abort", onAbort, { once: true });
    void backends
      .facts(model)
      .then(resolve, reject)
      .finally(() => {
        signal.removeEventListener("abort", onAbort);
      });
  });
}
