import type { Backend } from "./backend.ts";
import type { ModelLoader } from "./model-loader.ts";
import { canonicalModelName } from "../ollama/model-name.ts";

export type LoadPath = "/api/generate" | "/api/embed";

/**
 * Begins to load what is to stay loaded and is not, on each server that has it, one model after another. Called after
 * each probe of the servers, so that one that was restarted is warm before its first request. What a client had loaded
 * with another context stays as it is: its next request would need that again.
 *
 * @param pathOf by which path of Ollama's a model is loaded: it refuses to generate with one that embeds
 * @param onEnd called when a load has ended
 */
export function preload(
  names: readonly string[],
  backends: readonly Backend[],
  loads: ModelLoader,
  pathOf: (name: string) => LoadPath | Promise<LoadPath>,
  onEnd: () => void,
): void {
  for (const backend of backends) {
    for (const name of names) {
      const requirement = { model: canonicalModelName(name), context: undefined, runner: "" };
      const isDue = (): boolean =>
        backend.usable &&
        backend.holds(requirement.model) &&
        !backend.loaded.hasAny(requirement.model) &&
        !loads.isLoadingOn(backend, requirement) &&
        !loads.failedLately(backend, requirement);
      if (!isDue()) continue;
      const load = (path: LoadPath): void => {
        const request = { ...requirement, name, path, keepAlive: undefined, options: undefined };
        void loads.begin(backend, request).finally(onEnd);
      };
      const path = pathOf(name);
      if (typeof path === "string") load(path);
      else {
        void path.then((found) => {
          if (isDue()) load(found);
        });
      }
    }
  }
}
