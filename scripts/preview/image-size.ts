import { z } from "zod";
import type { ImageReference } from "../registry/image-reference.ts";
import { readManifest, RegistryError } from "../registry/manifests.ts";

const part = z.object({ size: z.number() });
const image = z.object({ config: part, layers: z.array(part) });
const platform = z.object({ os: z.string(), architecture: z.string(), variant: z.string().optional() });
const index = z.object({
  manifests: z.array(z.object({ digest: z.string(), platform: platform.optional() })),
});
const manifest = z.union([index, image]);

/**
 * Download size in bytes of an image for a platform ("linux/amd64"): its compressed layers and its config. Throws a
 * RegistryError if the registry does not respond before `signal`.
 */
export async function imageSize(
  { registry, repository, tag, digest }: ImageReference,
  platformName: string,
  signal: AbortSignal,
): Promise<number> {
  const read = async (reference: string) => {
    const { body } = await readManifest({ registry, repository, reference, signal });
    const found = manifest.safeParse(parsed(body));
    if (!found.success)
      throw new RegistryError(`what ${registry} sends for ${repository} is no image's manifest`);
    return found.data;
  };
  let found = await read(digest ?? tag);
  if ("manifests" in found) {
    const own = found.manifests.find((each) => fits(each.platform, platformName));
    if (own === undefined) throw new RegistryError(`${registry} has ${repository} only for other platforms`);
    found = await read(own.digest);
  }
  if ("manifests" in found)
    throw new RegistryError(`${registry} returned a nested manifest list for ${repository}`);
  return [found.config, ...found.layers].reduce((sum, { size }) => sum + size, 0);
}

function fits(offered: z.output<typeof platform> | undefined, platformName: string): boolean {
  const [os, architecture, variant] = platformName.split("/");
  if (offered?.os !== os || offered?.architecture !== architecture) return false;
  return variant === undefined || offered?.variant === undefined || offered.variant === variant;
}

function parsed(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString("utf8"));
  } catch {
    return undefined;
  }
}
