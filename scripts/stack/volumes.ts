import { docker } from "../../engine/docker-cli.ts";
import type { Deployed } from "./deployment.ts";

/** The volumes among the resources of a stack. */
export function volumesOf(resources: readonly Deployed[]): (Deployed & { readonly volume: string })[] {
  return resources
    .filter(({ type }) => type === "docker:index/volume:Volume")
    .map((resource) => ({ ...resource, volume: String(resource.inputs["name"]) }));
}

/** The size of each volume on the engine, as printed by `docker system df`: "1.3GB". */
export async function volumeSizes(): Promise<ReadonlyMap<string, string>> {
  const text = await docker(["system", "df", "--verbose", "--format", "{{json .Volumes}}"]);
  const volumes = JSON.parse(text) as readonly { readonly Name: string; readonly Size: string }[] | null;
  return new Map((volumes ?? []).map(({ Name, Size }) => [Name, Size]));
}

/** Deletes a volume, if it exists. */
export async function removeVolume(name: string): Promise<void> {
  await docker(["volume", "rm", name]).catch((error: unknown) => {
    if (!/no such volume/i.test(String(error))) throw error;
  });
}
