import type { FastifyInstance } from "fastify";
import { ApiError } from "../errors.ts";
import type { Gateway } from "../gateway.ts";
import { canonicalModelName } from "../ollama/model-name.ts";
import type { OllamaModel } from "../ollama/types.ts";

export function modelsRoute(app: FastifyInstance, gateway: Gateway): void {
  app.get("/v1/models", async () => ({
    object: "list",
    data: (await gateway.ollama.models()).map(toOpenAiModel),
  }));

  // A wildcard, because the names of models have slashes; clients quote them or do not.
  app.get<{ Params: { "*": string } }>("/v1/models/*", async ({ params: { "*": name } }) => {
    const wanted = canonicalModelName(name);
    const found = (await gateway.ollama.models()).find((model) => canonicalModelName(model.name) === wanted);
    if (found !== undefined) return toOpenAiModel(found);
    throw new ApiError("model_not_found", { message: `The model '${name}' does not exist.`, param: "model" });
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
