import { z } from "zod";
import type { StackOutputs } from "../stack/outputs.ts";
import type { Endpoint } from "./client-recipes.ts";

// The gateway knows it unless Ollama is busy; the recipes do without.
const CONTEXT_TIMEOUT_MS = 3000;

/** Where clients of a stack find it. @throws Error when it has no model */
export function endpointOf({
  gatewayUrl,
  installedModels,
  keysRequired,
}: Pick<StackOutputs, "gatewayUrl" | "installedModels" | "keysRequired">): Endpoint {
  const model = installedModels[0]?.model;
  if (model === undefined)
    throw new Error("The stack has no model. Name one in the config key models, then npm run up.");
  return { url: gatewayUrl.replace(/\/$/, ""), model, needsKey: keysRequired };
}

const modelList = z.object({
  data: z.array(z.object({ id: z.string(), context_length: z.int().optional() })),
});

/**
 * Adds how many tokens the model takes, if the gateway can be reached and says it.
 *
 * @param key the client's, if the gateway needs one
 */
export async function withContextLength(endpoint: Endpoint, key: string | undefined): Promise<Endpoint> {
  try {
    const response = await fetch(`${endpoint.url}/v1/models`, {
      headers: key === undefined ? {} : { authorization: `Bearer ${key}` },
      signal: AbortSignal.timeout(CONTEXT_TIMEOUT_MS),
    });
    const { data } = modelList.parse(await response.json());
    const contextLength = data.find(({ id }) => id === endpoint.model)?.context_length;
    return { ...endpoint, contextLength };
  } catch {
    return endpoint;
  }
}
