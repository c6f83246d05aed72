import type { FastifyInstance } from "fastify";
import { modelNotFound } from "../../errors.ts";
import type { AppContext } from "../../app-context.ts";
import { canonicalModelName } from "../../ollama/model-name.ts";
import { describeModels } from "../../generation/describe-models.ts";
import { visibleModels } from "../visible-models.ts";
import { describe } from "../../openapi/operation.ts";
import { model, models } from "../../openapi/response-schemas.ts";

export function modelsRoute(app: FastifyInstance, gateway: AppContext): void {
  app.get(
    "/v1/models",
    describe({ summary: "Installed models.", response: models }),
    async ({ consumer }) => ({
      object: "list",
      data: await describeModels(gateway, await visibleModels(gateway, consumer)),
    }),
  );

  // A wildcard, as names of models contain slashes, which clients may or may not encode.
  const one = describe({ summary: "One model.", response: model });
  app.get<{ Params: { "*": string } }>("/v1/models/*", one, async ({ consumer, params: { "*": name } }) => {
    const canonical = canonicalModelName(name);
    const visible = await visibleModels(gateway, consumer);
    const match = visible.find((each) => canonicalModelName(each.name) === canonical);
    if (match === undefined) throw modelNotFound(name);
    const [description] = await describeModels(gateway, [match]);
    return description;
  });
}
