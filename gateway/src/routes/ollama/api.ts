import type { FastifyInstance } from "fastify";
import type { Caller } from "../../auth/consumer.ts";
import { modelNotFound } from "../../errors.ts";
import type { Gateway } from "../../app-context.ts";
import { isLarge } from "../../ollama/proxy-body.ts";
import type { OllamaCall } from "../../ollama/types.ts";
import {
  namedModelSchema,
  nativeEmbedSchema,
  nativeSchema,
  translateNative,
} from "../../apis/ollama-native/adapter.ts";
import { parseBody } from "../../apis/common/validation.ts";
import { answer } from "../../generation/generate.ts";
import { askServer, embed, requestServerJson } from "../../generation/embed.ts";
import { visibleModels } from "../visible-models.ts";

/** Ollama's own API, as far as it generates and reads: `ollama run` and Ollama's clients work through the gateway. */
export function ollamaApiRoutes(app: FastifyInstance, gateway: Gateway): void {
  // What Ollama's command line asks for before anything else.
  app.get("/", (_request, reply) => reply.type("text/plain; charset=utf-8").send("Ollama is running"));

  generatingRoute(app, gateway, "/api/chat");
  generatingRoute(app, gateway, "/api/generate");
  embeddingRoute(app, gateway, "/api/embed");
  embeddingRoute(app, gateway, "/api/embeddings");

  app.get("/api/tags", async ({ caller }) => ({ models: await visibleModels(gateway, caller) }));
  app.get("/api/ps", async ({ caller }) => ({ models: await running(gateway, caller) }));
  app.get("/api/version", () => askServer(gateway, { method: "GET", path: "/api/version" }));
  app.post("/api/show", async ({ body: asked, caller, bodyCost }, reply) => {
    const body = parseBody(namedModelSchema, asked);
    if (!caller.allows(body.model)) throw modelNotFound(body.model);
    const json = await requestServerJson(gateway, {
      method: "POST",
      path: "/api/show",
      model: body.model,
      body,
      isLarge: isLarge(bodyCost),
    });
    return reply.type("application/json; charset=utf-8").send(json);
  });
}

// Of the vectors nothing is needed: the response is passed on as it came.
const NOTHING = Buffer.alloc(0);

function generatingRoute(app: FastifyInstance, gateway: Gateway, path: OllamaCall["path"]): void {
  app.post(path, (request, reply) =>
    answer(gateway, request, reply, translateNative(path, parseBody(nativeSchema, request.body))),
  );
}

function embeddingRoute(app: FastifyInstance, gateway: Gateway, path: string): void {
  app.post(path, async (request, reply) => {
    const body = parseBody(nativeEmbedSchema, request.body);
    const question = { method: "POST", path, model: body.model, body } as const;
    const { json } = await embed(gateway, request, reply, question, () => NOTHING);
    return reply.type("application/json; charset=utf-8").send(json);
  });
}

/** What is loaded on all servers that answer, of the caller's models. @throws ApiError when none does */
async function running({ ollama }: Gateway, caller: Caller): Promise<readonly object[]> {
  const answers = await Promise.allSettled(ollama.all.map((backend) => backend.client.running()));
  const [first] = answers;
  if (first?.status === "rejected" && answers.every((each) => each.status === "rejected")) {
    throw first.reason;
  }
  return answers
    .flatMap((each) => (each.status === "fulfilled" ? each.value.models : []))
    .filter(({ name }) => caller.allows(name));
}
