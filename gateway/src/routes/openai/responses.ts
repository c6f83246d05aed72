import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { ApiError, unsupportedValue } from "../../errors.ts";
import type { AppContext } from "../../app-context.ts";
import { adaptResponses } from "../../apis/openai-responses/adapter.ts";
import { responsesSchema } from "../../apis/openai-responses/schema.ts";
import { isLarge, toJson } from "../../ollama/proxy-body.ts";
import { ignoredParameters, parseRequest } from "../parse-request.ts";
import { generate } from "../../generation/generate.ts";
import { type ItemQuery, listItems } from "../../response-store/item-list.ts";
import {
  type Charge,
  inputOf,
  openConversation,
  referencedItems,
  type ResponseSource,
} from "../../response-store/stored-conversation.ts";
import { describe } from "../../openapi/operation.ts";
import { deletedResponse, itemList, response } from "../../openapi/response-schemas.ts";

type OneResponse = FastifyRequest<{
  Params: { id: string };
  Querystring: ItemQuery & { readonly stream?: string };
}>;

const creation = describe({
  summary:
    "A conversation in the format of OpenAI's Responses API. Stored for a while unless `store` is false.",
  body: responsesSchema,
  response,
  streams: "text/event-stream",
});

const inputItems = describe({
  summary:
    "The items that led to a stored response, newest first; the query parameters `order`, `limit` and `after` are " +
    "OpenAI's.",
  response: itemList,
});

export function responsesRoutes(app: FastifyInstance, gateway: AppContext): void {
  const { config, responses, sharedResponses, bodies } = gateway;
  const storedResponse = async (request: OneResponse) => {
    const { consumer, params } = request;
    const { name } = consumer;
    const charge = chargeFor(bodies, request);
    const shared = await sharedResponses?.get(name, params.id, charge);
    const found = shared ?? responses.get(name, params.id);
    if (found === undefined) throw responseNotFound(params.id);
    // Charged because the JSON is held until the client has read it. Limited to the maximum size of a body, which
    // always fits at some time.
    const cost = Math.min(found.conversationCost, config.BODY_LIMIT_BYTES);
    if (!bodies.charge(request, cost)) throw new ApiError("bodies_full");
    return found;
  };

  app.post("/v1/responses", creation, (request, reply) => {
    const { consumer, bodyCost: cost } = request;
    const body = parseRequest(gateway, request, reply, responsesSchema);
    const { name: owner } = consumer;
    const limit = config.BODY_LIMIT_BYTES;
    const respond = (source: ResponseSource): Promise<void> => {
      const storage = openConversation(source, body, { owner, cost, limit });
      if (!bodies.charge(request, cost + storage.earlierCost)) throw new ApiError("bodies_full");
      const ignored = ignoredParameters(gateway, request);
      return generate(gateway, request, reply, adaptResponses(body, ignored, storage));
    };
    if (sharedResponses === undefined) return respond(responses);
    const previousId = body.previous_response_id ?? undefined;
    const limits = { charge: chargeFor(bodies, request), bodyLimit: limit };
    return sharedResponses.open(owner, previousId, referencedItems(body), limits).then(respond);
  });

  app.get(
    "/v1/responses/:id",
    describe({ summary: "A stored response.", response }),
    async (request: OneResponse, reply) => {
      if (request.query.stream === "true") {
        throw unsupportedValue("stream", "stored responses cannot be streamed. Leave the parameter out.");
      }
      const found = await storedResponse(request);
      const { id, response: stored, output } = found;
      return sendStored(reply, found, { id, ...stored, output });
    },
  );

  app.get("/v1/responses/:id/input_items", inputItems, async (request: OneResponse, reply) => {
    const found = await storedResponse(request);
    return sendStored(reply, found, listItems(inputOf(found), request.query));
  });

  const deletion = describe({ summary: "Deletes a stored response.", response: deletedResponse });
  app.delete("/v1/responses/:id", deletion, async ({ consumer, params: { id } }: OneResponse) => {
    if (!(await (sharedResponses ?? responses).delete(consumer.name, id))) throw responseNotFound(id);
    return { id, object: "response", deleted: true };
  });
}

/** Sends part of a stored conversation; a large one is serialized in chunks. */
function sendStored(
  reply: FastifyReply,
  { conversationCost }: { readonly conversationCost: number },
  body: object,
): FastifyReply {
  return reply.type("application/json; charset=utf-8").send(toJson(body, isLarge(conversationCost)));
}

/** Charges additional memory of a request. A finished request holds nothing more. */
function chargeFor(bodies: AppContext["bodies"], request: FastifyRequest): Charge {
  let charged = request.bodyCost;
  return (bytes) => {
    charged += bytes;
    return request.bodyCost >= 0 && bodies.charge(request, charged);
  };
}

function responseNotFound(id: string): ApiError {
  return new ApiError("response_not_found", {
    message: `Response with id '${id}' not found. Responses are kept for a limited time, and not with 'store: false'.`,
  });
}
