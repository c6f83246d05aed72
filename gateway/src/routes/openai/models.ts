import type { FastifyInstance } from "fastify";
import { modelNotFound } from "../../errors.ts";
import type { AppContext } from "../../app-context.ts";
import { canonicalModelName } from "../../ollama/model-name.ts";
import type { OllamaModel } from "../../ollama/types.ts";
import { visibleModels } from "../visible-models.ts";

export function modelsRoute(app: FastifyInstance, gateway: AppContext): void {
  app.get("/v1/models", async ({ consumer }) => ({
    object: "list",
    data: (await visibleModels(gateway, consumer)).map(toOpenAiModel),
  }));

  // A wildcard, because the names of models have slashes; clients quote them or do not.
  app.get<{ Params: { "*": string } }>("/v1/models/*", async ({ consumer, params: { "*": name } }) => {
    const wanted = canonicalModelName(name);
    const models = await visibleModels(gateway, consumer);
    const found = models.find((model) => canonicalModelName(model.name) === wanted);
    if (found === undefined) throw modelNotFound(name);
    return toOpenAiModel(found);
  });
}

function toOpenAiModel({ name, modified_at: modifiedAt }: OllamaModel): object {
  const slash = name.lastIndexOf("/");
  return {
    id: name,
    object: "model",
    created: Math.floor(Date.parse(modifiedAt) / 1000),
    owned_by: slash === -1 ? "library" : name.slice(0, slash),
  };
}
