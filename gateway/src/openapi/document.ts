import * as z from "zod";
import packageJson from "../../package.json" with { type: "json" };
import { anthropicError, ollamaError, openAiError } from "./response-schemas.ts";
import type { Operation } from "./operation.ts";

/**
 * The OpenAPI document, made from the schemas that validate the bodies.
 *
 * @param operations of each route, by its method and its pattern
 */
export function openApiDocument(operations: ReadonlyMap<string, Operation>): object {
  const paths: Record<string, Record<string, object>> = {};
  for (const [route, operation] of operations) {
    const [method = "", url = ""] = route.split(" ");
    (paths[pathOf(url)] ??= {})[method.toLowerCase()] = describe(url, operation);
  }
  return {
    openapi: "3.1.0",
    info: {
      title: "ollama-stack gateway",
      version: packageJson.version,
      description: "Language models of Ollama, in the forms of OpenAI, Anthropic, OPEA and Ollama itself.",
    },
    paths,
    components: {
      securitySchemes: {
        bearer: { type: "http", scheme: "bearer" },
        apiKey: { type: "apiKey", in: "header", name: "x-api-key" },
      },
    },
    // Without a key configured, none is needed.
    security: [{ bearer: [] }, { apiKey: [] }, {}],
  };
}

function describe(url: string, operation: Operation): object {
  const { summary, query, body, passedOn, creates, redirects, otherwise, open } = operation;
  const parameters = [...parametersOf(url), ...queryParametersOf(query)];
  const failure = { description: "Why not.", content: json(errorOf(url)) };
  return {
    summary,
    ...(open === undefined ? {} : { security: [] }),
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(body === undefined ? {} : requestBody("application/json", toSchema(body, "input"))),
    ...(passedOn === undefined
      ? {}
      : requestBody(passedOn, passedOn === "application/json" ? { type: "object" } : {})),
    responses: {
      200: responseOf(operation),
      ...(creates === undefined ? {} : { 201: { description: "Made." } }),
      ...(redirects === undefined ? {} : { [redirects]: { description: "Elsewhere." } }),
      ...(otherwise === undefined
        ? {}
        : { [otherwise[0]]: { description: "Not so.", content: json(otherwise[1]) } }),
      "4XX": failure,
      "5XX": failure,
    },
  };
}

function requestBody(type: string, schema: object): object {
  return { requestBody: { required: true, content: { [type]: { schema } } } };
}

/** A stream is no text: its events are what a schema would be of. */
function textOf(mediaType: string): object {
  return mediaType === "text/event-stream" ? {} : { schema: { type: "string" } };
}

function responseOf({ response, streams }: Operation): object {
  if (response === undefined) return { description: "Done." };
  const content = typeof response === "string" ? { [response]: textOf(response) } : json(response);
  // A stream's events are the API's own; a schema would be taken for that of each of them.
  const streamed = streams === undefined ? {} : { [streams]: {} };
  return { description: "The response.", content: { ...content, ...streamed } };
}

function json(schema: z.ZodType): object {
  return { "application/json": { schema: toSchema(schema, "output") } };
}

function toSchema(schema: z.ZodType, io: "input" | "output"): object {
  const described = z.toJSONSchema(schema, { io, unrepresentable: "any" });
  // OpenAPI 3.1 is of this draft anyway.
  delete described.$schema;
  return described;
}

function errorOf(url: string): z.ZodType {
  if (url.startsWith("/api/")) return ollamaError;
  return url.startsWith("/v1/messages") ? anthropicError : openAiError;
}

/** OpenAPI's notation for what Fastify writes as `:name` and `*`. */
function pathOf(url: string): string {
  return url.replace(/:(\w+)/g, "{$1}").replace("*", "{model}");
}

function queryParametersOf(query: z.ZodObject | undefined): object[] {
  return Object.entries(query?.shape ?? {}).map(([name, schema]) => {
    const { description, ...described } = toSchema(schema as z.ZodType, "input") as { description?: string };
    return { name, in: "query", required: false, description, schema: described };
  });
}

function parametersOf(url: string): object[] {
  return [...pathOf(url).matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
    name,
    in: "path",
    required: true,
    schema: { type: "string", minLength: 1 },
  }));
}
