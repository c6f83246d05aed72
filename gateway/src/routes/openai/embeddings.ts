import type { FastifyInstance } from "fastify";
import { ApiError } from "../../errors.ts";
import type { Gateway } from "../../app-context.ts";
import { embeddingsSchema, toEmbeddings, toOllamaEmbed } from "../../apis/openai-embeddings/adapter.ts";
import { parseBody } from "../../apis/common/validation.ts";
import { embed } from "../../generation/embed.ts";

export function embeddingsRoute(app: FastifyInstance, gateway: Gateway): void {
  app.post("/v1/embeddings", async (request, reply) => {
    const asked = parseBody(embeddingsSchema, request.body);
    const answer = await embed(gateway, request, reply, { ...toOllamaEmbed(asked), model: asked.model });
    const texts = [asked.input].flat().length;
    if (answer.embeddings?.length !== texts) {
      throw new ApiError("upstream_incomplete", {
        message: `Ollama sent ${answer.embeddings?.length ?? 0} embeddings for ${texts} texts.`,
      });
    }
    return toEmbeddings(asked, answer);
  });
}
