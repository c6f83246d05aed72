import * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import type { Connection } from "../../engine/connection.ts";
import type { OllamaModel } from "./ollama-model.ts";

export interface GpuMemoryCheckArgs {
  readonly server: {
    /** The container's name, for messages, and its id, a change of which repeats the check. */
    readonly name: pulumi.Input<string>;
    readonly id: pulumi.Input<string>;
    /** Its address, known once it is ready. */
    readonly address: pulumi.Input<string>;
    /** How long it keeps an idle model loaded, such as "5m". */
    readonly keepAlive: string;
  };
  /** Models that must be in GPU memory. */
  readonly models: readonly OllamaModel[];
  /** How commands reach it. */
  readonly access: Connection;
}

/**
 * Fails an update if a model is not in GPU memory, because Ollama silently falls back to the CPU. The check is repeated when
 * the server's container or a model changes, and after a failure.
 */
export function checkGpuMemory(
  name: string,
  { server, models, access }: GpuMemoryCheckArgs,
  parent: pulumi.Resource,
  /** Checks of other servers that must finish first, because they would compete for the memory. */
  after: readonly pulumi.Resource[] = [],
): pulumi.Resource {
  const loaded = pulumi.all(models.map(({ model, digest }) => ({ name: model, digest })));
  return new command.local.Command(
    `${name}-in-gpu-memory`,
    {
      create: "node components/commands/check-gpu-memory.ts",
      environment: {
        ...access.environment,
        OLLAMA_URL: server.address,
        CONTAINER_NAME: server.name,
        CONTAINER_ID: server.id,
        MODELS: loaded.apply((list) => JSON.stringify(list)),
        // Otherwise it would be unloaded before the check.
        ...(/[1-9]/.test(server.keepAlive) ? {} : { LOAD_KEEP_ALIVE: "1m" }),
      },
    },
    { parent, dependsOn: [...models, ...after] },
  );
}
