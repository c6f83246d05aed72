import type { FastifyInstance } from "fastify";
import { openApiDocument } from "../../openapi/document.ts";
import { type Operation, describe } from "../../openapi/operation.ts";
import { ollamaObject } from "../../openapi/response-schemas.ts";

const described = describe({ summary: "This document.", response: ollamaObject });

/** Serves the document, which lists all routes registered after it. A route without a description fails the start. */
export function openApiRoute(app: FastifyInstance): void {
  const operations = new Map<string, Operation>();
  app.addHook("onRoute", ({ url, method, config }) => {
    for (const each of [method].flat()) {
      // Fastify adds HEAD routes for GET.
      if (each === "HEAD" && operations.has(`GET ${url}`)) continue;
      if (config?.operation === undefined) {
        throw new Error(`The route ${each} ${url} has no description. Register it with describe().`);
      }
      operations.set(`${each} ${url}`, config.operation);
    }
  });
  let document: object | undefined;
  app.get("/openapi.json", described, () => (document ??= openApiDocument(operations)));
}
