import type { ApiError, ErrorCode } from "../errors.ts";
import type { ErrorKind } from "./contract/history.ts";

const KINDS: Partial<Readonly<Record<ErrorCode, ErrorKind>>> = {
  rate_limit_exceeded: "rate_limited",
  bodies_full: "overloaded",
  connections_full: "overloaded",
  consoles_full: "overloaded",
  queue_full: "overloaded",
  queue_timeout: "overloaded",
  shutting_down: "overloaded",
  upstream_overloaded: "overloaded",
  request_timeout: "timeout",
  load_timeout: "timeout",
  first_token_timeout: "timeout",
  idle_timeout: "timeout",
  answer_timeout: "timeout",
  upstream_failed: "upstream",
  upstream_incomplete: "upstream",
  upstream_unreachable: "upstream",
  request_cancelled: "cancelled",
  client_left: "client_left",
  client_stalled: "client_left",
  internal_error: "internal",
};

/** Classifies the failure of a request. */
export function errorKindOf({ code, status }: Pick<ApiError, "code" | "status">): ErrorKind {
  const kind = KINDS[code];
  if (kind !== undefined) return kind;
  return status === 401 || status === 403 ? "unauthorized" : status < 500 ? "invalid" : "internal";
}
