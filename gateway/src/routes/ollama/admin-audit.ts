import type { FastifyReply, FastifyRequest } from "fastify";
import type { Log } from "../../observability/log.ts";

/** Returns what writes the audit line of a request that changes the server, once its response is over. */
export function changeAudit(log: Log, request: FastifyRequest, reply: FastifyReply): () => void {
  // It only looks whether a file is there.
  if (request.method === "HEAD") return () => undefined;
  const { body, params, consumer, keyId, id, record } = request;
  const [, act = ""] = /^\/api\/(\w+)/.exec(request.routeOptions.url ?? "") ?? [];
  return () => {
    log.audit({
      act: act === "blobs" ? "upload-file" : `${act}-model`,
      ...targetOf(body, params),
      key: consumer.name,
      key_id: keyId,
      client: record.clientIp,
      request_id: id,
      status: reply.raw.statusCode,
      // A pull that breaks off has been answered with 200 already.
      ended: reply.raw.writableFinished ? "complete" : "cut",
    });
  };
}

/** Ollama takes a model's name in one of two fields, and copies from one name to another. */
function targetOf(body: unknown, params: unknown): { readonly target: string; readonly source?: string } {
  const { digest } = params as { digest?: string };
  if (digest !== undefined) return { target: digest };
  const { model, name, source, destination } = (body ?? {}) as Record<string, unknown>;
  const target = [destination, model, name].find((each) => typeof each === "string" && each !== "");
  return {
    target: typeof target === "string" ? target : "unknown",
    ...(typeof source === "string" ? { source } : {}),
  };
}
