import type * as pulumi from "@pulumi/pulumi";
import type { Connection } from "../../engine/connection.ts";
import type { StackConfig } from "../config/keys.ts";
import { OllamaModel, type OllamaModelArgs } from "./ollama-model.ts";
import type { PlannedModel } from "../planning/models/inspect.ts";

export interface DeclareOptions {
  /** How commands reach the server. */
  readonly access: Connection;
  /** URL of the server as `access` reaches it, known when it is ready. */
  readonly serverUrl: pulumi.Input<string>;
  /** Names of the server's first container and its volume of models. */
  readonly server: OllamaModelArgs["server"];
  /** Default retention of models (always kept in an external volume), and the timeout of a pull without progress. */
  readonly config: Pick<StackConfig, "retainModels" | "modelVolume" | "pullStallSeconds">;
}

/** Declares the models. Models with the same source depend on each other, because installing one deletes the source. */
export function declareModels(
  plan: readonly PlannedModel[],
  { access, serverUrl, server, config }: DeclareOptions,
): OllamaModel[] {
  const names = new Set(plan.map(({ name }) => name));
  const lastOf = new Map<string, OllamaModel>();
  return plan.map(({ name, source, insecure, digest, changes, repair, ...own }) => {
    const before = lastOf.get(source);
    const model = new OllamaModel(
      `model-${name}`,
      {
        access,
        serverUrl,
        server,
        model: name,
        source,
        insecure,
        digest,
        changes,
        keepSource: names.has(source),
        repair,
        retain: own.retain ?? (config.retainModels || config.modelVolume !== ""),
        stallSeconds: config.pullStallSeconds,
      },
      before === undefined ? {} : { dependsOn: before },
    );
    lastOf.set(source, model);
    return model;
  });
}
