import type { FastifyInstance } from "fastify";
import { ApiError } from "../errors.ts";
import type { Gateway } from "../gateway.ts";
import {
  type OllamaEmbeddings,
  embeddingsSchema,
  toEmbeddings,
  toOllamaEmbed,
} from "../translate/embeddings.ts";
import { parseBody } from "../validation.ts";
import { askModel } from "./ask.ts";

export function embeddingsRoute(app: FastifyInstance, gateway: Gateway): void {
  app.post("/v1/embeddings", async (request) => {
    const asked = parseBody(embeddingsSchema, request.body);
    const question = { ...toOllamaEmbed(asked), model: asked.model };
    const answer = (await askModel(gateway, request, question)) as OllamaEmbeddings;
    const texts = [asked.input].flat().length;
    if (answer.embeddings?.length !== texts) {
      throw new ApiError("upstream_incomplete", {
        message: `Ollama sent ${answer.embeddings?.length ?? 0} embeddings for ${texts} texts.`,
      });
    }
    const tokens = answer.prompt_eval_count ?? 0;
    request.record.usage = { prompt_tokens: tokens, completion_tokens: 0, total_tokens: tokens };
    return toEmbeddings(asked, answer);
  });
}
