import * as z from "zod";
import packageJson from "../../package.json" with { type: "json" };
import { anthropicError, ollamaError, openAiError } from "./response-schemas.ts";
import type { Operation } from "./operation.ts";

/**
 * Builds the OpenAPI document from the schemas that validate the bodies.
 *
 * @param operations by method and pattern
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
      description: "Language models of Ollama, with the APIs of OpenAI, Anthropic, OPEA and Ollama itself.",
    },
    paths,
    components: {
      securitySchemes: {
        bearer: { type: "http", scheme: "bearer" },
        apiKey: { type: "apiKey", in: "header", name: "x-api-key" },
      },
    },
    // The empty requirement allows gateways without keys.
    security: [{ bearer: [] }, { apiKey: [] }, {}],
  };
}

function describe(url: string, operation: Operation): object {
  const { summary, query, body, forwards, creates, redirects, negativeResponse, isPublic } = operation;
  const parameters = [...parametersOf(url), ...queryParametersOf(query)];
  const error = { description: "Error.", content: json(errorOf(url)) };
  return {
    summary,
    ...(isPublic === undefined ? {} : { security: [] }),
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(body === undefined ? {} : requestBody("application/json", toSchema(body, "input"))),
    ...(forwards === undefined
      ? {}
      : requestBody(forwards, forwards === "application/json" ? { type: "object" } : {})),
    responses: {
      200: responseOf(operation),
      ...(creates === undefined ? {} : { 201: { description: "Created." } }),
      ...(redirects === undefined ? {} : { [redirects]: { description: "Redirect." } }),
      ...(negativeResponse === undefined
        ? {}
        : {
            [negativeResponse[0]]: { description: "Negative result.", content: json(negativeResponse[1]()) },
          }),
      "4XX": error,
      "5XX": error,
    },
  };
}

function requestBody(type: string, schema: object): object {
  return { requestBody: { required: true, content: { [type]: { schema } } } };
}

/** A schema would describe the individual events of a stream, so none is given. */
function textOf(mediaType: string): object {
  return mediaType === "text/event-stream" ? {} : { schema: { type: "string" } };
}

function responseOf({ response, streams }: Operation): object {
  if (response === undefined) return { description: "Success." };
  const content = typeof response === "string" ? { [response]: textOf(response) } : json(response());
  // No schema: it would be taken for that of each event.
  const streamContent = streams === undefined ? {} : { [streams]: {} };
  return { description: "The response.", content: { ...content, ...streamContent } };
}

function json(schema: z.ZodType): object {
  return { "application/json": { schema: toSchema(schema, "output") } };
}

function toSchema(schema: z.ZodType, io: "input" | "output"): object {
  const described = z.toJSONSchema(schema, { io, unrepresentable: "any" });
  // Implied by OpenAPI 3.1.
  delete described.$schema;
  return described;
}

function errorOf(url: string): z.ZodType {
  if (url.startsWith("/api/")) return ollamaError();
  return url.startsWith("/v1/messages") ? anthropicError() : openAiError();
}

/** Converts Fastify's `:name` and `*` to OpenAPI's syntax. */
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
