import type { FastifyReply, FastifyRequest } from "fastify";
import type { Log } from "../../observability/log.ts";

// Names in an audit line. Ollama's own are shorter, and a longer line would displace the others in a rotated log.
const MAX_NAME_LENGTH = 1024;

/** Returns a function that writes the audit line of a modifying request, to be called after its response. */
export function changeAudit(log: Log, request: FastifyRequest, reply: FastifyReply): () => void {
  // Only checks whether a file exists.
  if (request.method === "HEAD") return () => undefined;
  const { body, params, consumer, keyId, id, record } = request;
  const [, act = ""] = /^\/api\/(\w+)/.exec(record.route ?? "") ?? [];
  return () => {
    log.audit({
      act: act === "blobs" ? "upload-file" : `${act}-model`,
      ...targetOf(body, params),
      key: consumer.name,
      key_id: keyId,
      client: record.clientIp,
      request_id: id,
      status: reply.raw.statusCode,
      // An aborted pull already has status 200.
      ended: reply.raw.writableFinished ? "complete" : "cut",
    });
  };
}

/** Ollama accepts a model's name in either of two fields; a copy has a source and a destination. */
function targetOf(body: unknown, params: unknown): { readonly target: string; readonly source?: string } {
  const { digest } = params as { digest?: string };
  if (digest !== undefined) return { target: shown(digest) };
  const { model, name, source, destination } = (body ?? {}) as Record<string, unknown>;
  const target = [destination, model, name].find((each) => typeof each === "string" && each !== "");
  return {
    target: typeof target === "string" ? shown(target) : "unknown",
    ...(typeof source === "string" ? { source: shown(source) } : {}),
  };
}

function shown(name: string): string {
  return name.slice(0, MAX_NAME_LENGTH);
}
