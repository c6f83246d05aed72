import type { FastifyInstance } from "fastify";
import { openApiDocument } from "../../openapi/document.ts";
import { operations } from "../../openapi/operations.ts";

/** Serves the document, and lets no route be registered after it that the document does not describe. */
export function openApiRoute(app: FastifyInstance): void {
  app.addHook("onRoute", ({ url, method }) => {
    for (const each of [method].flat()) {
      // Fastify answers HEAD wherever there is GET.
      if (each !== "HEAD" && !(`${each} ${url}` in operations)) {
        throw new Error(`The route ${each} ${url} is not described in openapi/operations.ts.`);
      }
    }
  });
  let document: object | undefined;
  app.get("/openapi.json", () => (document ??= openApiDocument()));
}
