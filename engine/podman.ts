import type { EngineComponent } from "./docker-api.ts";

// The oldest supported version; Debian 12 has 4.3.
const oldestVersion = 5;

/** Why a Podman engine is not supported; undefined for any other engine. */
export function podmanProblem(components: readonly EngineComponent[]): string | undefined {
  const podman = components.find(({ Name }) => Name === "Podman Engine");
  if (podman === undefined || Number.parseInt(podman.Version, 10) >= oldestVersion) return undefined;
  return (
    `the engine is Podman ${podman.Version}, but must be Podman ${String(oldestVersion)} or later, or Docker: ` +
    "upgrade it, or set DOCKER_HOST to another engine"
  );
}
