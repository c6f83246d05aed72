import type { FastifyInstance } from "fastify";
import packageJson from "../../package.json" with { type: "json" };
import { ApiError } from "../errors.ts";
import type { Gateway } from "../gateway.ts";
import { translateChat } from "../translate/chat.ts";
import { exampleServiceSchema, toChatRequest } from "../translate/example-service.ts";
import { parseBody } from "../validation.ts";
import { answer } from "./answer.ts";

const healthCheck = {
  "Service Title": "ollama-stack gateway",
  Version: packageJson.version,
  "Service Description": "Language models of an Ollama server, in OPEA's form",
};

/** OPEA's routes: its megaservice, and the health check its orchestrator asks for. */
export function exampleServiceRoutes(app: FastifyInstance, gateway: Gateway): void {
  app.post("/v1/example-service", async (request, reply) => {
    const chat = toChatRequest(parseBody(exampleServiceSchema, request.body), gateway.config.LLM_MODEL_ID);
    try {
      await answer(gateway, request, reply, translateChat(chat));
    } catch (error) {
      throw error instanceof ApiError && error.code === "model_not_found" ? asBadRequest(error) : error;
    }
  });

  app.get("/v1/health_check", () => healthCheck);
}

/** OPEA's clients expect 400 for a model that does not exist, where OpenAI's expect 404. */
function asBadRequest(error: ApiError): ApiError {
  return new ApiError(error.code, { status: 400, message: error.message, param: "model" });
}
