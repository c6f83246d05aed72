import type { FastifyReply, FastifyRequest } from "fastify";
import type { Admitted } from "../admission.ts";
import { ApiError, toApiError } from "../errors.ts";
import type { Gateway } from "../gateway.ts";
import { SseStream } from "../sse.ts";
import { ChunkWriter, CompletionBuilder, newAnswer } from "../translate/chat-answer.ts";
import { toOllamaChat } from "../translate/chat-request.ts";
import type { ChatRequest } from "../translate/chat-schema.ts";

interface Answering {
  readonly gateway: Gateway;
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly chat: ChatRequest;
  readonly admitted: Admitted;
}

/**
 * Answers a conversation, as a stream or whole: the one way from a request to Ollama and back, for every route that
 * generates.
 *
 * @throws ApiError as long as nothing has been sent
 */
export async function answer(
  gateway: Gateway,
  request: FastifyRequest,
  reply: FastifyReply,
  chat: ChatRequest,
): Promise<void> {
  const { record } = request;
  record.model = chat.model;
  record.stream = chat.stream === true;
  const admitted = gateway.admission.enter();
  record.admitted = admitted;
  try {
    const answering = { gateway, request, reply, chat, admitted };
    await (record.stream ? answerAsStream(answering) : answerWhole(answering));
  } finally {
    admitted.leave();
  }
}

async function answerWhole({ gateway, request, reply, chat, admitted }: Answering): Promise<void> {
  const completion = new CompletionBuilder(newAnswer(chat.model));
  await gateway.ollama.chat(toOllamaChat(chat), admitted.signal, {
    onEvent(event) {
      request.record.note(event);
      completion.add(event);
    },
  });
  void reply
    .header("content-type", "application/json; charset=utf-8")
    .send(JSON.stringify(completion.build()));
}

async function answerAsStream({ gateway, request, reply, chat, admitted }: Answering): Promise<void> {
  const { record } = request;
  const chunks = new ChunkWriter(newAnswer(chat.model), chat.stream_options?.include_usage === true);
  const sse = new SseStream(reply, gateway.config.SLOW_READER_TIMEOUT_MS, () => {
    record.error ??= new ApiError("client_stalled");
    admitted.abort(record.error);
  });
  try {
    await gateway.ollama.chat(toOllamaChat(chat), admitted.signal, {
      onEvent(event) {
        record.note(event);
        for (const chunk of chunks.write(event)) sse.event(chunk);
        if (event.done === true) sse.done();
      },
      onPiece(flow) {
        sse.flush(flow);
      },
    });
  } catch (thrown) {
    if (!sse.begun) throw thrown;
    record.error ??= toApiError(thrown);
    sse.fail(record.error);
  }
}
