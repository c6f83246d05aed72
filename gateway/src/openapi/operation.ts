import type * as z from "zod";

/** What the document says of one route. */
export interface Operation {
  readonly summary: string;
  /** The schema that validates its body. */
  readonly body?: z.ZodType;
  /** The schema that validates its query, an object of strings. */
  readonly query?: z.ZodObject;
  /** True: although it is posted, it makes no work for a model, and counts for a key as what is read does. */
  readonly isLookup?: true;
  /** The media type of a body that is passed on unread. */
  readonly passedOn?: "application/json" | "application/octet-stream";
  /** Its response, as JSON; a string names another media type. Without it the status says all. */
  readonly response?: z.ZodType | string;
  /** True: what was there already is 200, what was not 201. */
  readonly creates?: true;
  /** The media type it streams, when requested. */
  readonly streams?: "text/event-stream" | "application/x-ndjson";
  /** The status with which it may lead elsewhere. */
  readonly redirects?: 302 | 308;
  /** A response of its own that says no. */
  readonly otherwise?: readonly [status: number, response: z.ZodType];
  /** True: it needs no key, and says nothing of what is served. */
  readonly open?: true;
}

declare module "fastify" {
  interface FastifyContextConfig {
    operation?: Operation;
  }
}

/** The options of a route that is described so. Each route needs them. */
export function describe(operation: Operation): { readonly config: { readonly operation: Operation } } {
  return { config: { operation } };
}
