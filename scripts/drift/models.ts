import { z } from "zod";
import { parseModelList } from "../../components/config/models/installed-models.ts";
import { tunnelOutput } from "../stack/outputs.ts";
import { withStackUrls } from "../connect/with-stack-urls.ts";
import type { Deployed } from "../stack/deployment.ts";
import type { Difference } from "./difference.ts";

const deployed = z.object({
  gatewayUrl: z.string(),
  ollamaUrl: z.string(),
  tunnel: tunnelOutput,
  containers: z.object({ ollama: z.string() }),
  volumes: z.object({ models: z.string() }),
  installedModels: z.array(z.object({ model: z.string(), digest: z.string() })),
});

interface ModelsToCompare {
  readonly stack: Deployed;
  /** The commands of the stack: those among them that install models see for themselves. */
  readonly commands: readonly Deployed[];
  /** Whether another difference already implies that Ollama does not respond. */
  readonly silent: boolean;
  /** Names of missing volumes. */
  readonly goneVolumes: ReadonlySet<string>;
}

/**
 * Compares the models in the stack's outputs with those that Ollama lists. If their volume is missing, so are the models.
 */
export async function compareModels({
  stack,
  commands,
  silent,
  goneVolumes,
}: ModelsToCompare): Promise<Difference[]> {
  const outputs = deployed.safeParse(stack.outputs);
  // Does not compare models of an incompletely deployed stack.
  if (!outputs.success) return [];
  const { ollamaUrl, volumes, installedModels } = outputs.data;
  const installed = goneVolumes.has(volumes.models) ? new Map<string, string>() : await list(outputs.data);
  if (installed === undefined) {
    if (silent) return [];
    const difference = { property: "response", expected: `lists its models at ${ollamaUrl}`, actual: "none" };
    const name = outputs.data.containers.ollama;
    const byHand = `check its log with docker logs ${name}, and restart it with docker restart ${name}`;
    return [{ ...difference, urn: stack.urn, resource: "Ollama", repair: { byHand } }];
  }
  return installedModels.flatMap(({ model, digest }) => {
    const actual = installed.get(model);
    if (actual === digest) return [];
    const pull = commands.find(({ inputs }) => {
      const environment = inputs["environment"] as Record<string, unknown> | undefined;
      return environment?.["MODEL"] === model;
    });
    return [
      {
        urn: pull?.urn ?? stack.urn,
        resource: `model ${model}`,
        property: "digest",
        expected: digest.slice(0, 12),
        actual: actual?.slice(0, 12) ?? "removed",
        repair: "refresh",
      },
    ];
  });
}

async function list(outputs: z.output<typeof deployed>): Promise<ReadonlyMap<string, string> | undefined> {
  try {
    const models = await withStackUrls(outputs, async ({ ollamaUrl }) => {
      const response = await fetch(`${ollamaUrl}/api/tags`, { signal: AbortSignal.timeout(5_000) });
      return parseModelList(await response.json());
    });
    return new Map(models.map(({ name, digest }) => [name, digest]));
  } catch {
    return undefined;
  }
}
