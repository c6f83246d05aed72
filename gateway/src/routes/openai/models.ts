import type { FastifyInstance } from "fastify";
import { modelNotFound } from "../../errors.ts";
import type { AppContext } from "../../app-context.ts";
import { canonicalModelName } from "../../ollama/model-name.ts";
import { describeModels } from "../../generation/describe-models.ts";
import { visibleModels } from "../visible-models.ts";

export function modelsRoute(app: FastifyInstance, gateway: AppContext): void {
  app.get("/v1/models", async ({ consumer }) => ({
    object: "list",
    data: await describeModels(gateway, await visibleModels(gateway, consumer)),
  }));

  // A wildcard, because the names of models have slashes; clients quote them or do not.
  app.get<{ Params: { "*": string } }>("/v1/models/*", async ({ consumer, params: { "*": name } }) => {
    const wanted = canonicalModelName(name);
    const models = await visibleModels(gateway, consumer);
    const found = models.find((model) => canonicalModelName(model.name) === wanted);
    if (found === undefined) throw modelNotFound(name);
    const [described] = await describeModels(gateway, [found]);
    return described;
  });
}
