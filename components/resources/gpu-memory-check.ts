import * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import type { Connection } from "../../engine/connection.ts";
import type { OllamaModel } from "./ollama-model.ts";

export interface GpuMemoryCheckArgs {
  readonly server: {
    /** Its container: the name, for messages, and the id, a new one of which is checked again. */
    readonly name: pulumi.Input<string>;
    readonly id: pulumi.Input<string>;
    /** Where it answers, once it is ready. */
    readonly address: pulumi.Input<string>;
    /** How long it keeps an idle model loaded, such as "5m". */
    readonly keepAlive: string;
  };
  /** What it must have in GPU memory. */
  readonly models: readonly OllamaModel[];
  /** How commands reach it. */
  readonly access: Connection;
}

/**
 * Fails an update when a model does not sit in GPU memory: Ollama falls back to the CPU and says nothing. It is run
 * again when the server's container or a model is another, and after it failed.
 */
export function checkGpuMemory(
  name: string,
  { server, models, access }: GpuMemoryCheckArgs,
  parent: pulumi.Resource,
  /** Checks of other servers that have to be done before: two at once would take the memory from each other. */
  after: readonly pulumi.Resource[] = [],
): pulumi.Resource {
  const asked = pulumi.all(models.map(({ model, digest }) => ({ name: model, digest })));
  return new command.local.Command(
    `${name}-in-gpu-memory`,
    {
      create: "node components/commands/check-gpu-memory.ts",
      environment: {
        ...access.environment,
        OLLAMA_URL: server.address,
        CONTAINER_NAME: server.name,
        CONTAINER_ID: server.id,
        MODELS: asked.apply((list) => JSON.stringify(list)),
        // Else it would be gone before it can be looked at.
        ...(/[1-9]/.test(server.keepAlive) ? {} : { LOAD_KEEP_ALIVE: "1m" }),
      },
    },
    { parent, dependsOn: [...models, ...after] },
  );
}
