import { EngineError } from "../../engine/docker-cli.ts";
import type { StackOutputs } from "../stack/outputs.ts";
import { endpointOf, withContextLength } from "./client-endpoint.ts";
import type { Endpoint } from "./client-recipes.ts";
import { withStackUrls } from "./with-stack-urls.ts";

/**
 * Calls a function with an endpoint at which programs on this machine reach a stack's gateway: through a tunnel if the
 * engine is on another machine, where the gateway's URL may lead to another stack.
 *
 * @throws EngineError if the tunnel cannot be opened
 */
export async function withDockerEndpoint<T>(
  outputs: StackOutputs,
  work: (endpoint: Endpoint) => Promise<T>,
): Promise<T> {
  if (outputs.tunnel?.gateway === undefined) return await work(endpointOf(outputs));
  return await withStackUrls(outputs, (reachable) => work(endpointOf(reachable)));
}

/** The endpoint at a stack's published URL, with the context length if the gateway can be reached. */
export async function dockerEndpoint(outputs: StackOutputs, key: string | undefined): Promise<Endpoint> {
  const published = endpointOf(outputs);
  try {
    const reached = await withDockerEndpoint(outputs, (endpoint) => withContextLength(endpoint, key));
    return { ...reached, url: published.url };
  } catch (error) {
    if (error instanceof EngineError) return published;
    throw error;
  }
}
