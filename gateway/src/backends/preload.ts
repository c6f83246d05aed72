import type { Backend } from "./backend.ts";
import type { ModelLoader } from "./model-loader.ts";
import { canonicalModelName } from "../ollama/model-name.ts";

export type LoadPath = "/api/generate" | "/api/embed";

/**
 * Starts loading the models to keep loaded on each backend that has them installed but not loaded. Called after each
 * probe, so that a restarted backend is warm before its first request. A model loaded with other settings by a client
 * is left alone.
 *
 * @param pathOf the path to load a model with, never rejects: Ollama refuses to load an embedding model for generation
 * @param onEnd called when a load has ended
 */
export function preload(
  names: readonly string[],
  backends: readonly Backend[],
  loader: ModelLoader,
  pathOf: (name: string) => Promise<LoadPath>,
  onEnd: () => void,
): void {
  for (const backend of backends) {
    for (const name of names) {
      const requirement = { model: canonicalModelName(name), context: undefined, runner: "" };
      const isDue = (): boolean =>
        backend.usable &&
        backend.holds(requirement.model) &&
        !backend.loaded.hasAny(requirement.model) &&
        !loader.isLoadingOn(backend, requirement) &&
        !loader.failedRecently(backend, requirement);
      if (!isDue()) continue;
      void pathOf(name).then((path) => {
        if (!isDue()) return;
        const request = { ...requirement, name, path, keepAlive: undefined, options: undefined };
        void loader.begin(backend, request).finally(onEnd);
      });
    }
  }
}
