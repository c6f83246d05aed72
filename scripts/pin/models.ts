import type { EngineAddress } from "../../engine/docker-cli.ts";
import { containerHosts } from "../../components/planning/models/registry-hosts.ts";
import { models as schema } from "../../components/config/models/models.ts";
import { sourceKind } from "../../components/config/models/model-source.ts";
import { ModelRegistryClient } from "../../components/planning/models/registry-client.ts";
import { allOrErrors, type Pin } from "./pins.ts";
import { RegistryError } from "../registry/manifests.ts";

export const modelsKey = "ollama-stack:models";

/**
 * Looks up the digests of the models that come from a registry. Throws one line for each that could not be resolved.
 *
 * @param ollamaHosts hosts that only Ollama's container knows by name
 */
export async function resolveModels(
  list: readonly unknown[],
  ollamaHosts: readonly string[],
  engine: EngineAddress,
): Promise<Pin[]> {
  const checked = schema.safeParse(list);
  if (!checked.success) throw new RegistryError(`models: ${checked.error.issues[0]?.message ?? "wrong"}`);
  const models = checked.data;
  const upstream = new ModelRegistryClient(
    await containerHosts({ ollamaHosts: [...ollamaHosts], models, ...engine }),
  );
  const pins = models.map(async ({ name, source = name, insecure = false, digest: before }, index) => {
    if (sourceKind(source) !== "registry") return [];
    const what = `model ${name}`;
    const found = await upstream.resolve(source, insecure);
    if ("notFound" in found) throw new RegistryError(`${what}: ${found.notFound}`);
    if ("unreachable" in found) throw new RegistryError(`${what}: ${found.unreachable}`);
    const { digest } = found;
    if (digest === undefined) throw new RegistryError(`${what}: its registry returned no digest`);
    const entry = list[index];
    const place =
      typeof entry === "string"
        ? { path: [modelsKey, index], value: { name: entry, digest } }
        : { path: [modelsKey, index, "digest"], value: digest };
    return [{ ...place, what, digest, before }];
  });
  return (await allOrErrors(pins)).flat();
}
