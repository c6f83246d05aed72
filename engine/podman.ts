import type { EngineComponent } from "./docker-api.ts";

// The oldest that the project supports; Debian 12 has 4.3.
const oldestVersion = 5;

/** Why an engine that is Podman cannot be used; undefined for every other. */
export function podmanProblem(components: readonly EngineComponent[]): string | undefined {
  const podman = components.find(({ Name }) => Name === "Podman Engine");
  if (podman === undefined || Number.parseInt(podman.Version, 10) >= oldestVersion) return undefined;
  return (
    `the engine is Podman ${podman.Version}, but must be Podman ${String(oldestVersion)} or later, or Docker: ` +
    "upgrade it, or point DOCKER_HOST at another engine"
  );
}
