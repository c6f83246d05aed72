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
  translateNative,
} from "../../apis/ollama-native/adapter.ts";
import { parseRequest } from "../parse-request.ts";
import { generate } from "../../generation/generate.ts";
import { requestServer, embed, requestServerJson } from "../../generation/embed.ts";
import { visibleModels } from "../visible-models.ts";
import { describe } from "../../openapi/operation.ts";
import { ofOllama } from "../../openapi/response-schemas.ts";

/** Ollama's own API, as far as it generates and reads: `ollama run` and Ollama's clients work through the gateway. */
export function ollamaApiRoutes(app: FastifyInstance, gateway: AppContext): void {
  // What Ollama's command line asks for before anything else.
  const greeting = describe({ summary: "What Ollama's command line asks first.", response: "text/plain" });
  app.get("/", greeting, (_request, reply) =>
    reply.type("text/plain; charset=utf-8").send("Ollama is running"),
  );

  generatingRoute(app, gateway, "/api/chat", "A conversation in Ollama's own form.");
  generatingRoute(app, gateway, "/api/generate", "A prompt in Ollama's own form.");
  embeddingRoute(app, gateway, "/api/embed", "Embeddings in Ollama's own form.");
  embeddingRoute(app, gateway, "/api/embeddings", "One embedding, in Ollama's older form.");

  app.get(
    "/api/tags",
    reading("The models that are present, in Ollama's own form."),
    async ({ consumer }) => ({ models: await visibleModels(gateway, consumer) }),
  );
  app.get("/api/ps", reading("The models that are loaded."), async ({ consumer }) => ({
    models: await running(gateway, consumer),
  }));
  app.get("/api/version", reading("Ollama's version."), () =>
    requestServer(gateway, { method: "GET", path: "/api/version" }),
  );
  const showing = describe({ summary: "What a model is.", body: namedModelSchema, response: ofOllama });
  app.post("/api/show", showing, async (request, reply) => {
    const { consumer, bodyCost } = request;
    const body = parseRequest(gateway, request, reply, namedModelSchema);
    const { model } = body;
    if (!consumer.allows(model)) throw modelNotFound(model);
    const question = { method: "POST", path: "/api/show", model, body, isLarge: isLarge(bodyCost) } as const;
    // All tokens of a model are megabytes.
    const { PROBE_TIMEOUT_MS, ANSWER_TIMEOUT_MS } = gateway.config;
    const timeoutMs = body["verbose"] === true ? ANSWER_TIMEOUT_MS : PROBE_TIMEOUT_MS;
    const json = await requestServerJson(gateway, request, question, timeoutMs);
    return reply.type("application/json; charset=utf-8").send(json);
  });
}

// Of the vectors nothing is needed: the response is passed on as it came.
const NOTHING = Buffer.alloc(0);

function reading(summary: string): ReturnType<typeof describe> {
  return describe({ summary, response: ofOllama });
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
    response: ofOllama,
    streams: "application/x-ndjson",
  });
  app.post(path, described, (request, reply) =>
    generate(
      gateway,
      request,
      reply,
      translateNative(path, parseRequest(gateway, request, reply, nativeSchema)),
    ),
  );
}

function embeddingRoute(app: FastifyInstance, gateway: AppContext, path: string, summary: string): void {
  const described = describe({ summary, body: nativeEmbedSchema, response: ofOllama });
  app.post(path, described, async (request, reply) => {
    const body = parseRequest(gateway, request, reply, nativeEmbedSchema);
    const question = { method: "POST", path, model: body.model, body } as const;
    const { json } = await embed(gateway, request, reply, question, () => NOTHING);
    return reply.type("application/json; charset=utf-8").send(json);
  });
}

/** What is loaded on all servers that answer, of the consumer's models. @throws ApiError when none does */
async function running({ backends }: AppContext, consumer: Consumer): Promise<readonly object[]> {
  const answers = await Promise.allSettled(backends.all.map((backend) => backend.client.running()));
  const [first] = answers;
  if (first?.status === "rejected" && answers.every((each) => each.status === "rejected")) {
    throw first.reason;
  }
  return answers
    .flatMap((each) => (each.status === "fulfilled" ? each.value.models : []))
    .filter(({ name }) => consumer.allows(name));
}
