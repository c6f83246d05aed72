import * as z from "zod";

/**
 * A variant from another server or a newer client: only its type is kept.
 *
 * @param known the supported types, which it excludes
 */
export function unknownVariant(known: readonly string[]) {
  return z
    .object({ type: z.string().refine((type) => !known.includes(type)) })
    .transform(({ type }) => ({ type: "unknown" as const, name: type }));
}
