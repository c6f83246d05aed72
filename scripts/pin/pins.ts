import { parseReference, pinned } from "../registry/image-reference.ts";
import { RegistryError, tagDigest } from "../registry/manifests.ts";

/** A digest for an entry of the config. */
export interface Pin {
  /** Path in the stack's config file, below `config`. */
  readonly path: readonly (string | number)[];
  /** Its description: "ollamaImage ollama/ollama:0.17.4". */
  readonly what: string;
  /** The value including the digest. */
  readonly value: unknown;
  readonly digest: string;
  /** The former digest. */
  readonly before: string | undefined;
}

/** Looks up the digest of each image. Throws one line for each that could not be resolved. */
export async function resolveImages(images: Readonly<Record<string, string>>): Promise<Pin[]> {
  return await allOrErrors(
    Object.entries(images).map(async ([key, text]) => {
      const reference = parseReference(text);
      const what = `${key} ${reference.name}:${reference.tag}`;
      try {
        const digest = await tagDigest(reference.registry, reference.repository, reference.tag);
        const value = pinned(reference, digest);
        return { path: [`ollama-stack:${key}`], what, value, digest, before: reference.digest };
      } catch (error) {
        if (!(error instanceof RegistryError)) throw error;
        throw new RegistryError(`${what}: ${error.message}`);
      }
    }),
  );
}

/** Returns all results, or throws all errors together. */
export async function allOrErrors<T>(lookups: readonly Promise<T>[]): Promise<T[]> {
  const settled = await Promise.allSettled(lookups);
  const failed = settled.filter((each) => each.status === "rejected").map(({ reason }) => reason as unknown);
  for (const reason of failed) if (!(reason instanceof RegistryError)) throw reason;
  if (failed.length > 0)
    throw new RegistryError(failed.map((reason) => (reason as Error).message).join("\n"));
  return settled.flatMap((each) => (each.status === "fulfilled" ? [each.value] : []));
}
