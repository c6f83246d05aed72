import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { bestVariant, type ConsoleFile, isKnown, PAGE } from "../../console/console-files.ts";
import { ApiError } from "../../errors.ts";
import { extendVary } from "../../lib/vary.ts";
import { describe } from "../../openapi/operation.ts";

// The page has no inline code, evaluates nothing, and only connects to its own origin. Images in a chat are data URLs
// of the user.
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data: blob:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types dompurify",
].join("; ");

const HEADERS = {
  "content-security-policy": CONTENT_SECURITY_POLICY,
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "permissions-policy": "camera=(), geolocation=(), microphone=()",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
} as const;

const page = describe({
  summary: "The web console. The page needs no key, but the API that it uses does.",
  response: "text/html",
  redirects: 308,
  isPublic: true,
});

const asset = describe({
  summary: "A file of the web console.",
  response: "application/octet-stream",
  isPublic: true,
});

/** Serves the web console. */
export function consoleRoutes(app: FastifyInstance, files: ReadonlyMap<string, ConsoleFile>): void {
  app.get("/console", page, (request, reply) => {
    // The page refers to its files by relative paths, so its URL needs the trailing slash, which the normalized URL
    // lacks.
    const [path = ""] = request.originalUrl.split("?", 1);
    if (path.endsWith("/")) return sendFile(files, PAGE, request, reply);
    return reply.headers(HEADERS).redirect("console/", 308);
  });
  app.get<{ Params: { file: string } }>("/console/:file", asset, (request, reply) =>
    sendFile(files, request.params.file, request, reply),
  );
}

function sendFile(
  files: ReadonlyMap<string, ConsoleFile>,
  name: string,
  { headers }: FastifyRequest,
  reply: FastifyReply,
): FastifyReply {
  const file = files.get(name);
  if (file === undefined) throw new ApiError("route_not_found");
  const variant = bestVariant(file, headers["accept-encoding"]);
  void reply.headers({
    ...HEADERS,
    "cache-control": file.cacheControl,
    etag: variant.etag,
    vary: extendVary(reply.getHeader("vary"), "Accept-Encoding"),
  });
  if (isKnown(variant, headers["if-none-match"])) return reply.code(304).send();
  if (variant.encoding !== "identity") void reply.header("content-encoding", variant.encoding);
  return reply.type(file.contentType).send(variant.content);
}
