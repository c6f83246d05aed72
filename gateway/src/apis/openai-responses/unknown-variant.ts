import * as z from "zod";

export interface UnknownVariant {
  readonly type: "unknown";
  /** The type that the client sent. */
  readonly name: string;
  readonly id?: string;
}

/**
 * A variant from another server or a newer client: only its type and ID are kept.
 *
 * @param known the supported types, which it excludes
 */
export function unknownVariant(known: readonly string[]) {
  return z
    .object({ type: z.string().refine((type) => !known.includes(type)), id: z.unknown().optional() })
    .transform(({ type, id }): UnknownVariant => ({
      type: "unknown",
      name: type,
      ...(typeof id === "string" ? { id } : {}),
    }));
}

/** Restores the client's type of a variant, for a response. */
export function withOriginalType(variant: object): object {
  if (!isUnknown(variant)) return variant;
  const { name, ...rest } = variant;
  return { ...rest, type: name };
}

function isUnknown(variant: object): variant is UnknownVariant {
  return "type" in variant && variant.type === "unknown";
}
