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
    describe({ summary: "The models that are present.", response: models }),
    async ({ consumer }) => ({
      object: "list",
      data: await describeModels(gateway, await visibleModels(gateway, consumer)),
    }),
  );

  // A wildcard, because the names of models have slashes; clients quote them or do not.
  const one = describe({ summary: "One model.", response: model });
  app.get<{ Params: { "*": string } }>("/v1/models/*", one, async ({ consumer, params: { "*": name } }) => {
    const wanted = canonicalModelName(name);
    const visible = await visibleModels(gateway, consumer);
    const found = visible.find((each) => canonicalModelName(each.name) === wanted);
    if (found === undefined) throw modelNotFound(name);
    const [described] = await describeModels(gateway, [found]);
    return described;
  });
}
