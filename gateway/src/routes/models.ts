import type { FastifyInstance } from "fastify";
import type { Gateway } from "../gateway.ts";
import type { OllamaModel } from "../ollama/types.ts";

export function modelsRoute(app: FastifyInstance, gateway: Gateway): void {
  app.get("/v1/models", async () => ({
    object: "list",
    data: (await gateway.ollama.models()).map(toOpenAiModel),
  }));
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
