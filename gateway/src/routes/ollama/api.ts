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

/** Ollama's own API, as far as it generates and reads: `ollama run` and Ollama's clients work through the gateway. */
export function ollamaApiRoutes(app: FastifyInstance, gateway: AppContext): void {
  // What Ollama's command line asks for before anything else.
  app.get("/", (_request, reply) => reply.type("text/plain; charset=utf-8").send("Ollama is running"));

  generatingRoute(app, gateway, "/api/chat");
  generatingRoute(app, gateway, "/api/generate");
  embeddingRoute(app, gateway, "/api/embed");
  embeddingRoute(app, gateway, "/api/embeddings");

  app.get("/api/tags", async ({ consumer }) => ({ models: await visibleModels(gateway, consumer) }));
  app.get("/api/ps", async ({ consumer }) => ({ models: await running(gateway, consumer) }));
  app.get("/api/version", () => requestServer(gateway, { method: "GET", path: "/api/version" }));
  app.post("/api/show", async (request, reply) => {
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

function generatingRoute(app: FastifyInstance, gateway: AppContext, path: GenerateRequest["path"]): void {
  app.post(path, (request, reply) =>
    generate(
      gateway,
      request,
      reply,
      translateNative(path, parseRequest(gateway, request, reply, nativeSchema)),
    ),
  );
}

function embeddingRoute(app: FastifyInstance, gateway: AppContext, path: string): void {
  app.post(path, async (request, reply) => {
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
