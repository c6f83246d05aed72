import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { ApiError } from "../../errors.ts";
import type { AppContext } from "../../app-context.ts";
import { changeAudit } from "./admin-audit.ts";
import { pathOf } from "../../lib/request-path.ts";
import { isLarge } from "../../ollama/proxy-body.ts";
import { type Operation, describe } from "../../openapi/operation.ts";
import { ollamaObject } from "../../openapi/response-schemas.ts";

const BLOB = "/api/blobs/:digest";

/** Bodies of these routes are files of any size. */
export const BLOB_ROUTES: ReadonlySet<string> = new Set([BLOB]);

const change = { forwards: "application/json" } as const;
const longChange = { ...change, response: ollamaObject, streams: "application/x-ndjson" } as const;

function forAdmins(summary: string, rest: Omit<Operation, "summary"> = {}): ReturnType<typeof describe> {
  return describe({ summary: `${summary}. Needs a key with the admin flag.`, ...rest });
}

const POSTED = [
  ["/api/pull", forAdmins("Pulls a model", longChange)],
  ["/api/push", forAdmins("Pushes a model", longChange)],
  ["/api/create", forAdmins("Makes a model", longChange)],
  ["/api/copy", forAdmins("Copies a model", change)],
] as const;

const upload = forAdmins("Takes a blob of a model", { forwards: "application/octet-stream", creates: true });

/** Routes of Ollama's API that modify the server. They require an admin key. */
export function ollamaChangesRoutes(root: FastifyInstance, gateway: AppContext): void {
  void root.register((app, _options, done) => {
    app.addHook("onRequest", (request, _reply, next) => {
      next(accessError(request, gateway));
    });
    const forward = (request: FastifyRequest, reply: FastifyReply) => forwardTo(gateway, request, reply);
    for (const [path, options] of POSTED) app.post(path, options, forward);
    app.delete("/api/delete", forAdmins("Deletes a model", change), forward);
    void app.register((blobs, _none, registered) => {
      // Bodies are forwarded unparsed, whatever their type; curl -T sends none.
      blobs.removeAllContentTypeParsers();
      blobs.addContentTypeParser("*", (_request, payload, parsed) => {
        parsed(null, payload);
      });
      blobs.head(BLOB, forAdmins("Returns whether a blob exists"), forward);
      blobs.post(BLOB, upload, forward);
      registered();
    });
    done();
  });
}

function accessError({ consumer }: FastifyRequest, { backends }: AppContext): ApiError | undefined {
  if (!consumer.admin) return new ApiError("admin_key_required");
  const isOne = backends.all.length === 1 && !backends.members.isDynamic;
  return isOne ? undefined : new ApiError("several_servers");
}

async function forwardTo(gateway: AppContext, request: FastifyRequest, reply: FastifyReply): Promise<void> {
  if (gateway.scheduler.draining) throw new ApiError("shutting_down");
  const [backend] = gateway.backends.all;
  if (backend === undefined) throw new ApiError("upstream_unreachable");
  const disconnected = new AbortController();
  const audit = changeAudit(gateway.log, request, reply);
  gateway.forwarded.begin();
  reply.raw.once("close", () => {
    gateway.forwarded.end();
    audit();
    disconnected.abort(new ApiError("client_left"));
    // The installed models may have changed.
    void gateway.backends.refresh();
  });
  // Without the query, which none of these routes has.
  const path = pathOf(request.url);
  const forwarded = { method: request.method, path, body: request.body, isLarge: isLarge(request.bodyCost) };
  const response = await backend.client.proxy(forwarded, disconnected.signal).catch((error: unknown) => {
    // A stalled body already has a response, which aborted this request.
    if (!reply.sent) throw error;
  });
  if (response === undefined) return;
  // A response without a type is empty: Ollama responds to a copy, a deletion and a blob with a status only.
  const { "content-type": type } = response.headers;
  if (type !== undefined) void reply.header("content-type", type);
  // Aborted responses of Ollama are aborted here as well.
  await reply.code(response.statusCode).send(response.body);
}
