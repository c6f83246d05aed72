import { invalidValue } from "../../errors.ts";
import { safeSchema } from "../../json-schema/safe-schema-cache.ts";

/** Constraint on the response. */
export interface OutputFormat {
  /** "json", or a safe schema. */
  readonly format?: unknown;
  /** Paths of keywords of the client's schema that are not enforced. */
  readonly ignoredKeywords?: readonly string[];
}

/**
 * @param schema as sent by the client
 * @param param the request's parameter with the schema
 * @throws ApiError for an unsupported schema
 */
export function schemaFormat(schema: Readonly<Record<string, unknown>>, param: string): OutputFormat {
  const { schema: format, ignored } = safeSchema(schema, param);
  return ignored.length === 0 ? { format } : { format, ignoredKeywords: ignored };
}

/**
 * Converts Ollama's own `format` parameter.
 *
 * @throws ApiError for anything but "json" or a supported schema
 */
export function nativeFormat(format: unknown): OutputFormat {
  if (format === undefined || format === null || format === "" || format === "json") return {};
  if (typeof format === "object" && !Array.isArray(format)) {
    return schemaFormat(format as Readonly<Record<string, unknown>>, "format");
  }
  throw invalidValue("format", 'it is neither "json" nor a JSON Schema. Send one of the two.');
}
