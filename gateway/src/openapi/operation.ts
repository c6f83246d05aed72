import type * as z from "zod";

/** Description of a route in the document. */
export interface Operation {
  readonly summary: string;
  /** Validates the body. */
  readonly body?: z.ZodType;
  /** Validates the query; all members are strings. */
  readonly query?: z.ZodObject;
  /** A POST that does not use a model, and counts like a read against the key's limits. */
  readonly isLookup?: true;
  /** Media type of a body that is forwarded unread. */
  readonly forwards?: "application/json" | "application/octet-stream";
  /**
   * Schema of the JSON response, or another media type. Without it, only the status matters. Created on request: hundreds
   * of schemas that only the document needs would delay the start.
   */
  readonly response?: (() => z.ZodType) | string;
  /** Whether it responds with 201 for a new resource, and 200 for an existing one. */
  readonly creates?: true;
  /** Media type of the stream, if the client requests one. */
  readonly streams?: "text/event-stream" | "application/x-ndjson";
  /** Status of a possible redirect. */
  readonly redirects?: 302 | 308;
  /** A negative response with its own schema. */
  readonly negativeResponse?: readonly [status: number, response: () => z.ZodType];
  /** Whether it needs no key; it then reveals nothing about the models. */
  readonly isPublic?: true;
}

declare module "fastify" {
  interface FastifyContextConfig {
    operation?: Operation;
  }
}

/** Route options with a description. Every route needs them. */
export function describe(operation: Operation): { readonly config: { readonly operation: Operation } } {
  return { config: { operation } };
}
