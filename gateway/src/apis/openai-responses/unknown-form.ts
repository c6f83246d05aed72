import * as z from "zod";

/**
 * A form that another server of this API sends, or a newer client: only its type is kept.
 *
 * @param known the types that it is not
 */
export function unknownForm(known: readonly string[]) {
  return z
    .object({ type: z.string().refine((type) => !known.includes(type)) })
    .transform(({ type }) => ({ type: "unknown" as const, name: type }));
}
