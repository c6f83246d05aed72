import { z } from "zod";
import type { StackOutputs } from "../stack/outputs.ts";
import type { Endpoint } from "./client-recipes.ts";

// The gateway reports it unless Ollama is busy; recipes work without it.
const CONTEXT_TIMEOUT_MS = 3000;

/** The endpoint for clients of a stack. @throws Error if it has no model */
export function endpointOf({
  gatewayUrl,
  installedModels,
  keysRequired,
}: Pick<StackOutputs, "gatewayUrl" | "installedModels" | "keysRequired">): Endpoint {
  const model = installedModels[0]?.model;
  if (model === undefined)
    throw new Error("The stack has no model. Add one to the config key models, then: npm run up");
  return { url: gatewayUrl.replace(/\/$/, ""), model, needsKey: keysRequired };
}

const modelList = z.object({
  data: z.array(z.object({ id: z.string(), context_length: z.int().optional() })),
});

/**
 * Adds the model's context length, if the gateway is reachable and reports it.
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
