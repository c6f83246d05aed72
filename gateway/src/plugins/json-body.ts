import type { FastifyInstance, FastifyRequest } from "fastify";
import type { BodyBudget } from "./body-budget.ts";
import { ApiError } from "../errors.ts";
import { MAX_DEPTH, MAX_VALUES, measure } from "../lib/json-scan.ts";

/** Reads JSON bodies as Fastify does, but those that would take the process more than a body may. */
export function readJsonBodies(app: FastifyInstance, budget: BodyBudget): void {
  const parse = app.getDefaultJsonParser("error", "error");
  app.addContentTypeParser("application/json", { parseAs: "string" }, (request, body, done) => {
    const text = body.toString();
    const refusal = refusalOf(request, text, budget);
    if (refusal === undefined) void parse(request, text, done);
    else done(refusal);
  });
}

function refusalOf(request: FastifyRequest, text: string, budget: BodyBudget): ApiError | undefined {
  const measured = measure(text);
  switch (measured) {
    case "depth":
      return new ApiError("invalid_request", {
        message: `The request body is nested more than ${MAX_DEPTH} levels deep.`,
      });
    case "values":
      return new ApiError("body_too_large", {
        message: `The request body holds more than ${MAX_VALUES} values.`,
      });
    default:
      return budget.chargeWhole(request, text, measured) ? undefined : new ApiError("bodies_full");
  }
}
