import type { FastifyReply, FastifyRequest } from "fastify";
import { ApiError } from "../errors.ts";
import type { Gateway } from "../app-context.ts";
import type { OllamaEmbeddings, OllamaQuestion } from "../ollama/types.ts";

/**
 * Asks Ollama for embeddings on behalf of a request: let in, ended and measured like one that generates.
 *
 * @throws ApiError
 */
export async function embed(
  gateway: Gateway,
  request: FastifyRequest,
  reply: FastifyReply,
  question: OllamaQuestion & { readonly model: string },
): Promise<OllamaEmbeddings> {
  const { record } = request;
  record.model = question.model;
  record.stream = false;
  const admitted = gateway.admission.enter({
    path: question.path,
    body: question.body ?? {},
    subject: "input",
    caller: request.caller,
  });
  record.admitted = admitted;
  try {
    const answer = (await admitted.run((ollama) =>
      ollama.ask(question, admitted.signal, record.trace?.traceparent),
    )) as OllamaEmbeddings;
    record.noteEmbeddings(answer, question.body ?? {});
    void reply.header("server-timing", record.serverTiming());
    return answer;
  } finally {
    admitted.leave();
  }
}

/** Asks Ollama what it knows without a model at work, so without waiting for a place. @throws ApiError */
export async function askServer(gateway: Gateway, question: OllamaQuestion): Promise<unknown> {
  const overdue = AbortSignal.timeout(gateway.config.PROBE_TIMEOUT_MS);
  try {
    return await gateway.ollama.ask(question, overdue);
  } catch (cause) {
    throw overdue.aborted ? new ApiError("upstream_unreachable", { cause }) : cause;
  }
}
