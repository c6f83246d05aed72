import type { BackendPool } from "../backends/backend-pool.ts";
import type { ModelFacts } from "../backends/model-facts.ts";

/**
 * What Ollama knows of a model. Others may wait for the same request, so that it goes on when this one is given up.
 *
 * @throws ApiError the signal's reason, or why nothing is known
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
