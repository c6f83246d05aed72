import type { Backend } from "./backend.ts";
import type { ModelLoader } from "./model-loader.ts";
import { canonicalModelName } from "../ollama/model-name.ts";

/**
 * Begins to load what is to stay loaded and is not, on each server that has it, one model after another. Called after
 * each look at the servers, so that one that was started anew is warm before it is asked. What a client had loaded
 * with another context stays as it is: its next request would need that again.
 *
 * @param onEnd called when a load has ended
 */
export function preload(
  names: readonly string[],
  backends: readonly Backend[],
  loads: ModelLoader,
  onEnd: () => void,
): void {
  for (const backend of backends) {
    for (const name of names) {
      const requirement = { model: canonicalModelName(name), context: undefined, runner: "" };
      if (!backend.usable || !backend.holds(requirement.model) || backend.loaded.hasAny(requirement.model))
        continue;
      if (loads.isLoading(requirement) || loads.failedLately(backend, requirement)) continue;
      const request = {
        ...requirement,
        name,
        path: "/api/generate",
        keepAlive: undefined,
        options: undefined,
      };
      void loads.begin(backend, request).finally(onEnd);
    }
  }
}
