import { ApiError } from "../../errors.ts";
import { safeSchema } from "../../json-schema/safe-schema-cache.ts";

/** What a response is held to. */
export interface OutputFormat {
  /** "json", or a schema that Ollama can take. */
  readonly format?: unknown;
  /** Keywords of the client's schema that the response is not held to, by their paths. */
  readonly ignoredKeywords?: readonly string[];
}

/**
 * @param schema as the client sent it
 * @param param the request's parameter that holds it
 * @throws ApiError when no grammar can be made of it
 */
export function schemaFormat(schema: Readonly<Record<string, unknown>>, param: string): OutputFormat {
  const { schema: format, ignored } = safeSchema(schema, param);
  return ignored.length === 0 ? { format } : { format, ignoredKeywords: ignored };
}

/** What Ollama's own parameter `format` says. @throws ApiError for what is neither "json" nor a schema */
export function nativeFormat(format: unknown): OutputFormat {
  if (format === undefined || format === null || format === "" || format === "json") return {};
  if (typeof format === "object" && !Array.isArray(format)) {
    return schemaFormat(format as Readonly<Record<string, unknown>>, "format");
  }
  throw new ApiError("invalid_value", {
    message: "Invalid value for 'format': it is neither \"json\" nor a JSON Schema. Send one of the two.",
    param: "format",
  });
}
