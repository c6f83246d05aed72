import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { ApiError } from "../../errors.ts";
import type { AppContext } from "../../app-context.ts";
import { changeAudit } from "./admin-audit.ts";
import { isLarge } from "../../ollama/proxy-body.ts";
import { type Operation, describe } from "../../openapi/operation.ts";
import { ofOllama } from "../../openapi/response-schemas.ts";

const BLOB = "/api/blobs/:digest";

/** What is sent to these is a file of any size. */
export const BLOB_ROUTES: ReadonlySet<string> = new Set([BLOB]);

const change = { passedOn: "application/json" } as const;
const longChange = { ...change, response: ofOllama, streams: "application/x-ndjson" } as const;

function forAdmins(summary: string, rest: Omit<Operation, "summary"> = {}): ReturnType<typeof describe> {
  return describe({ summary: `${summary}. Needs a key with the admin flag.`, ...rest });
}

const POSTED = [
  ["/api/pull", forAdmins("Pulls a model", longChange)],
  ["/api/push", forAdmins("Pushes a model", longChange)],
  ["/api/create", forAdmins("Makes a model", longChange)],
  ["/api/copy", forAdmins("Copies a model", change)],
] as const;

const upload = forAdmins("Takes a blob of a model", { passedOn: "application/octet-stream", creates: true });

/** The routes of Ollama's API that change the server: closed, unless an admin's key is used. */
export function ollamaChangesRoutes(root: FastifyInstance, gateway: AppContext): void {
  void root.register((app, _options, done) => {
    app.addHook("onRequest", (request, _reply, next) => {
      next(refusal(request, gateway));
    });
    const forward = (request: FastifyRequest, reply: FastifyReply) => forwardTo(gateway, request, reply);
    for (const [path, options] of POSTED) app.post(path, options, forward);
    app.delete("/api/delete", forAdmins("Deletes a model", change), forward);
    void app.register((blobs, _none, registered) => {
      // They are passed on as they come, whatever their type: curl -T sends none.
      blobs.removeAllContentTypeParsers();
      blobs.addContentTypeParser("*", (_request, payload, parsed) => {
        parsed(null, payload);
      });
      blobs.head(BLOB, forAdmins("Says whether a blob is there"), forward);
      blobs.post(BLOB, upload, forward);
      registered();
    });
    done();
  });
}

function refusal({ consumer }: FastifyRequest, { backends }: AppContext): ApiError | undefined {
  if (!consumer.admin) return new ApiError("admin_key_required");
  const isOne = backends.all.length === 1 && !backends.members.isDynamic;
  return isOne ? undefined : new ApiError("several_servers");
}

async function forwardTo(gateway: AppContext, request: FastifyRequest, reply: FastifyReply): Promise<void> {
  const [backend] = gateway.backends.all;
  if (backend === undefined) throw new ApiError("upstream_unreachable");
  const leaving = new AbortController();
  const audit = changeAudit(gateway.log, request, reply);
  reply.raw.once("close", () => {
    audit();
    leaving.abort(new ApiError("client_left"));
    // What is present may be another now.
    void gateway.backends.refresh();
  });
  // Not the query: none of these routes has one.
  const path = request.url.split("?", 1)[0] ?? "";
  const forwarded = { method: request.method, path, body: request.body, isLarge: isLarge(request.bodyCost) };
  const answer = await backend.client.proxy(forwarded, leaving.signal).catch((error: unknown) => {
    // A body that fell silent has its response, which ended this.
    if (!reply.sent) throw error;
  });
  if (answer === undefined) return;
  // What has no type has no content: Ollama answers a copy, a deletion and a blob by the status alone.
  const { "content-type": type } = answer.headers;
  if (type !== undefined) void reply.header("content-type", type);
  // An answer that breaks off upstream breaks off here.
  await reply.code(answer.statusCode).send(answer.body);
}
