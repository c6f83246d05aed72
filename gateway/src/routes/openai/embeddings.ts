import type { FastifyInstance } from "fastify";
import { ApiError } from "../../errors.ts";
import type { AppContext } from "../../app-context.ts";
import {
  embeddingsSchema,
  toEmbeddingsJson,
  toOllamaEmbed,
  vectorEncoder,
} from "../../apis/openai-embeddings/adapter.ts";
import { parseRequest } from "../parse-request.ts";
import { embed } from "../../generation/embed.ts";
import { describe } from "../../openapi/operation.ts";
import { embeddings } from "../../openapi/response-schemas.ts";

const described = describe({
  summary: "Embeddings of one or several texts, in OpenAI's format.",
  body: embeddingsSchema,
  response: embeddings,
});

export function embeddingsRoute(app: FastifyInstance, gateway: AppContext): void {
  app.post("/v1/embeddings", described, async (request, reply) => {
    const body = parseRequest(gateway, request, reply, embeddingsSchema);
    const call = { ...toOllamaEmbed(body), model: body.model };
    const { vectors, counts } = await embed(gateway, request, reply, call, vectorEncoder(body));
    const texts = [body.input].flat().length;
    if (vectors.length !== texts) {
      throw new ApiError("upstream_incomplete", {
        message: `Ollama sent ${vectors.length} embeddings for ${texts} texts.`,
      });
    }
    return reply
      .type("application/json; charset=utf-8")
      .send(toEmbeddingsJson(body, vectors, counts.prompt_eval_count));
  });
}
