import type { FastifyInstance } from "fastify";
import type { Consumer } from "../../auth/consumer.ts";
import { modelNotFound } from "../../errors.ts";
import type { AppContext } from "../../app-context.ts";
import { isLarge } from "../../ollama/proxy-body.ts";
import type { GenerateRequest } from "../../ollama/types.ts";
import {
  namedModelSchema,
  nativeEmbedSchema,
  nativeSchema,
  adaptNative,
} from "../../apis/ollama-native/adapter.ts";
import { generationHandler } from "../generation-handler.ts";
import { parseRequest } from "../parse-request.ts";
import { requestServer, embed, requestServerJson } from "../../generation/embed.ts";
import { visibleModels } from "../visible-models.ts";
import { describe } from "../../openapi/operation.ts";
import { ollamaObject } from "../../openapi/response-schemas.ts";

/** Ollama's own API for generating and reading, for `ollama run` and Ollama's clients. */
export function ollamaApiRoutes(app: FastifyInstance, gateway: AppContext): void {
  // Ollama's command line requests this first.
  const greeting = describe({ summary: "First request of Ollama's command line.", response: "text/plain" });
  app.get("/", greeting, (_request, reply) =>
    reply.type("text/plain; charset=utf-8").send("Ollama is running"),
  );

  generatingRoute(app, gateway, "/api/chat", "A conversation in Ollama's own format.");
  generatingRoute(app, gateway, "/api/generate", "A prompt in Ollama's own format.");
  embeddingRoute(app, gateway, "/api/embed", "Embeddings in Ollama's own format.");
  embeddingRoute(app, gateway, "/api/embeddings", "One embedding, in Ollama's older format.");

  app.get("/api/tags", readRoute("Installed models, in Ollama's own format."), async ({ consumer }) => ({
    models: await visibleModels(gateway, consumer),
  }));
  app.get("/api/ps", readRoute("Loaded models."), async ({ consumer }) => ({
    models: await running(gateway, consumer),
  }));
  app.get("/api/version", readRoute("Ollama's version."), () =>
    requestServer(gateway, { method: "GET", path: "/api/version" }),
  );
  const showing = describe({
    summary: "Details of a model.",
    body: namedModelSchema,
    response: ollamaObject,
  });
  app.post("/api/show", showing, async (request, reply) => {
    const { consumer, bodyCost } = request;
    const body = parseRequest(gateway, request, reply, namedModelSchema);
    const { model } = body;
    if (!consumer.allows(model)) throw modelNotFound(model);
    const call = { method: "POST", path: "/api/show", model, body, isLarge: isLarge(bodyCost) } as const;
    // The list of all tokens of a model takes megabytes.
    const { PROBE_TIMEOUT_MS, ANSWER_TIMEOUT_MS } = gateway.config;
    const timeoutMs = body["verbose"] === true ? ANSWER_TIMEOUT_MS : PROBE_TIMEOUT_MS;
    const json = await requestServerJson(gateway, request, reply, call, timeoutMs);
    return reply.type("application/json; charset=utf-8").send(json);
  });
}

// The response is forwarded unchanged, so the vectors need no encoding.
const NOTHING = Buffer.alloc(0);

function readRoute(summary: string): ReturnType<typeof describe> {
  return describe({ summary, response: ollamaObject });
}

function generatingRoute(
  app: FastifyInstance,
  gateway: AppContext,
  path: GenerateRequest["path"],
  summary: string,
): void {
  const described = describe({
    summary,
    body: nativeSchema,
    response: ollamaObject,
    streams: "application/x-ndjson",
  });
  const handler = generationHandler(gateway, nativeSchema, (body) => adaptNative(path, body));
  app.post(path, described, handler);
}

function embeddingRoute(app: FastifyInstance, gateway: AppContext, path: string, summary: string): void {
  const described = describe({ summary, body: nativeEmbedSchema, response: ollamaObject });
  app.post(path, described, async (request, reply) => {
    const body = parseRequest(gateway, request, reply, nativeEmbedSchema);
    const question = { method: "POST", path, model: body.model, body } as const;
    const { json } = await embed(gateway, request, reply, question, () => NOTHING);
    return reply.type("application/json; charset=utf-8").send(json);
  });
}

/**
 * Loaded models of all backends that respond, restricted to the consumer's models.
 *
 * @throws ApiError if no backend responds
 */
async function running({ backends }: AppContext, consumer: Consumer): Promise<readonly object[]> {
  const results = await Promise.allSettled(backends.all.map((backend) => backend.client.running()));
  const [first] = results;
  if (first?.status === "rejected" && results.every((each) => each.status === "rejected")) {
    throw first.reason;
  }
  return results
    .flatMap((each) => (each.status === "fulfilled" ? each.value.models : []))
    .filter(({ name }) => consumer.allows(name));
}
