import type { FinishedRequest } from "../../../gateway/src/admin/contract/requests.ts";
import { isOk } from "./outcome.ts";

/** Filter of finished requests; empty fields match all. */
export interface RequestFilter {
  readonly key: string;
  readonly model: string;
  /** "ok", "error", a status or an error code. */
  readonly status: string;
}

export const noFilter: RequestFilter = { key: "", model: "", status: "" };

/** Query parameters of a filter. */
export function queryOf({ key, model, status }: RequestFilter, limit: number): string {
  const query = new URLSearchParams({ limit: String(limit) });
  if (key !== "") query.set("key", key);
  if (model !== "") query.set("model", model);
  if (status !== "") query.set("status", status);
  return query.toString();
}

/** Whether a filter matches a request from the event stream; same rules as the gateway's. */
export function isShown({ key, model, status }: RequestFilter, finished: FinishedRequest): boolean {
  if (key !== "" && finished.key !== key) return false;
  if (model !== "" && withTag(finished.model ?? "") !== withTag(model)) return false;
  if (status === "") return true;
  if (status === "ok") return isOk(finished);
  if (status === "error") return !isOk(finished);
  return String(finished.status) === status || finished.error?.code === status;
}

function withTag(model: string): string {
  return model.split("/").at(-1)?.includes(":") === true ? model : `${model}:latest`;
}
