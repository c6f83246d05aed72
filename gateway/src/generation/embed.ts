import type { FastifyReply, FastifyRequest } from "fastify";
import { ApiError } from "../errors.ts";
import type { Gateway } from "../app-context.ts";
import type { OllamaEmbeddings, OllamaQuestion } from "../ollama/types.ts";
import { isLarge } from "../ollama/proxy-body.ts";
import { acquireQuota, settleQuota } from "./acquire-quota.ts";
import { shareModel } from "./shared-model.ts";

/**
 * Asks Ollama for embeddings on behalf of a request: let in, ended and measured like one that generates.
 *
 * @throws ApiError
 */
export async function embed(
  gateway: Gateway,
  request: FastifyRequest,
  reply: FastifyReply,
  given: OllamaQuestion & { readonly model: string },
): Promise<OllamaEmbeddings> {
  const { record, caller } = request;
  const shared = caller.options ? undefined : shareModel(given.body ?? {}, request.body, gateway);
  const question = shared === undefined ? given : { ...given, body: shared.body };
  record.model = question.model;
  record.stream = false;
  const { path, body = {} } = question;
  const { input } = body as { input?: unknown };
  acquireQuota(request, reply, {
    bodies: [body],
    subject: "input",
    requests: Array.isArray(input) ? input.length : 1,
    output: 0,
  });
  const neededContext = shared?.context;
  const admitted = gateway.admission.enter({ path, body, subject: "input", caller, neededContext });
  record.admitted = admitted;
  try {
    const sent = { ...question, isLarge: isLarge(request.bodyCost) };
    const answer = (await admitted.run((ollama) => {
      record.beginCall(body, 0);
      return ollama.ask(sent, admitted.signal, record.trace?.traceparent);
    })) as OllamaEmbeddings;
    record.noteEmbeddings(answer, body);
    void reply.header("server-timing", record.serverTiming());
    return answer;
  } finally {
    admitted.leave();
    settleQuota(request);
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
