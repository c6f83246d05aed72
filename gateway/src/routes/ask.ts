import type { FastifyRequest } from "fastify";
import { ApiError } from "../errors.ts";
import type { Gateway } from "../gateway.ts";
import type { OllamaQuestion } from "../ollama/types.ts";

/**
 * Asks Ollama for something a model has to work for, on behalf of a request: let in, and ended, like one that
 * generates.
 *
 * @throws ApiError
 */
export async function askModel(
  gateway: Gateway,
  request: FastifyRequest,
  question: OllamaQuestion & { readonly model: string },
): Promise<unknown> {
  const { record } = request;
  record.model = question.model;
  record.stream = false;
  const admitted = gateway.admission.enter({
    path: question.path,
    body: question.body ?? {},
    caller: request.caller,
  });
  record.admitted = admitted;
  try {
    return await admitted.run((ollama) => ollama.ask(question, admitted.signal));
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
