import type { StackOutputs } from "../stack/outputs.ts";
import type { Endpoint } from "./client-recipes.ts";

/** Where clients of a stack find it. @throws Error when it has no model */
export function endpointOf({ gatewayUrl, installedModels, keysRequired }: StackOutputs): Endpoint {
  const model = installedModels[0]?.model;
  if (model === undefined)
    throw new Error("The stack has no model. Name one in the config key models, then npm run up.");
  return { url: gatewayUrl.replace(/\/$/, ""), model, needsKey: keysRequired };
}
