import { ApiError } from "../errors.ts";
import { finishedRequestsQuery } from "./contract/requests.ts";
import type { FinishedFilter } from "./finished-requests.ts";

const USUAL_LIMIT = 100;
const MAX_LIMIT = 500;

/** @throws ApiError for the first invalid parameter */
export function readFilter(query: unknown): FinishedFilter {
  const { data, error } = finishedRequestsQuery.safeParse(query);
  if (data === undefined) {
    const param = String(error.issues[0]?.path[0] ?? "");
    const allowed: string =
      finishedRequestsQuery.shape[param as keyof typeof finishedRequestsQuery.shape].description ?? "";
    throw new ApiError("invalid_value", {
      message: `Invalid value for '${param}', which may occur only once. Allowed: ${allowed}`,
      param,
    });
  }
  const { key, model, status, limit } = data;
  return { key, model, status, limit: Math.min(MAX_LIMIT, Number(limit ?? USUAL_LIMIT)) };
}
