import type { FastifyInstance } from "fastify";
import { ApiError } from "./errors.ts";
import { MAX_DEPTH, MAX_VALUES, excessOf } from "./json-text.ts";

/** Reads JSON bodies as Fastify does, but those that would take the process more than a body may. */
export function readJsonBodies(app: FastifyInstance): void {
  const parse = app.getDefaultJsonParser("error", "error");
  app.addContentTypeParser("application/json", { parseAs: "string" }, (request, body, done) => {
    const text = body.toString();
    const refusal = refusalOf(text);
    if (refusal === undefined) void parse(request, text, done);
    else done(refusal);
  });
}

function refusalOf(text: string): ApiError | undefined {
  switch (excessOf(text)) {
    case "depth":
      return new ApiError("invalid_request", {
        message: `The request body is nested more than ${MAX_DEPTH} levels deep.`,
      });
    case "values":
      return new ApiError("body_too_large", {
        message: `The request body holds more than ${MAX_VALUES} values.`,
      });
    case undefined:
      return undefined;
  }
}
