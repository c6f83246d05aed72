import { z } from "zod";
import { pulumi } from "./pulumi-cli.ts";

/** Services behind a tunnel, each as "host:port", because they are unpublished or remote. */
export const tunnelOutput = z
  .object({
    network: z.string(),
    image: z.string(),
    platform: z.string(),
    gateway: z.string().optional(),
    ollama: z.string(),
  })
  .optional();

/** The outputs of a deployed stack, from index.ts. */
const outputs = z.object({
  gatewayUrl: z.url(),
  keysRequired: z.boolean(),
  ollamaUrl: z.url(),
  networkName: z.string(),
  tunnel: tunnelOutput,
  containers: z.object({ ollama: z.string(), gateway: z.string() }),
  replicas: z.object({ ollama: z.array(z.string()), gateway: z.array(z.string()) }),
  edge: z.object({ container: z.string(), mode: z.string() }).optional(),
  prometheusUrl: z.url().optional(),
  prometheus: z.object({ container: z.string() }).optional(),
  volumes: z.object({ models: z.string() }),
  images: z.object({ ollama: z.string(), gateway: z.string() }),
  installedModels: z.array(z.object({ model: z.string(), digest: z.string(), sizeBytes: z.number() })).min(1),
});
export type StackOutputs = z.output<typeof outputs>;

/** Reads a stack's outputs. @throws if it is not completely deployed */
export function readOutputs(stack: string, env: NodeJS.ProcessEnv): Promise<StackOutputs> {
  return readOutputsAs(parseOutputs, stack, env);
}

/** The same, with outputs of another kind; `parseAs` returns undefined unless they are complete. */
export async function readOutputsAs<T>(
  parseAs: (value: unknown) => T | undefined,
  stack: string,
  env: NodeJS.ProcessEnv,
): Promise<T> {
  const text = await pulumi(["stack", "output", "--json", "--stack", stack], { env, output: "read" });
  const read = parseAs(JSON.parse(text));
  if (read !== undefined) return read;
  throw new Error(
    `The stack ${stack} is not deployed, or not completely; deploy it with: npm run up -- --stack ${stack}`,
  );
}

/** The outputs of a completely deployed stack, or undefined. */
export function parseOutputs(value: unknown): StackOutputs | undefined {
  return outputs.safeParse(value).data;
}
