import { expect, it } from "vitest";
import type { FinishedRequest } from "../../../gateway/src/admin/contract/requests.ts";
import { isShown, noFilter, queryOf } from "../../../console/src/requests/filter.ts";
import { toneOf } from "../../../console/src/requests/outcome.ts";

const finished: FinishedRequest = {
  id: "1",
  request_id: "r",
  trace_id: null,
  route: "/v1/chat/completions",
  key: "alice",
  model: "m",
  backend: null,
  stream: true,
  status: 503,
  started_at: "2026-11-28T12:00:00.000Z",
  total_ms: 5,
  phases: { queue_ms: 0, load_ms: 0, prompt_ms: 0, generate_ms: 0 },
  first_token_ms: null,
  prompt_tokens: null,
  generated_tokens: null,
  tokens_per_second: null,
  error: { code: "queue_full", message: "The request queue is full.", message_hidden: false, param: null },
  text: null,
};

it.each([
  [{}, true],
  [{ key: "alice" }, true],
  [{ key: "bob" }, false],
  [{ model: "m" }, true],
  [{ model: "m:latest" }, true],
  [{ model: "m:8b" }, false],
  [{ status: "error" }, true],
  [{ status: "ok" }, false],
  [{ status: "503" }, true],
  [{ status: "200" }, false],
  [{ status: "queue_full" }, true],
  [{ status: "queue_timeout" }, false],
  [{ key: "alice", model: "m", status: "200" }, false],
])("the filter %o shows a failed request: %s", (filter, shown) => {
  expect(isShown({ ...noFilter, ...filter }, finished)).toBe(shown);
});

it("a filter becomes query parameters of the gateway, without empty fields", () => {
  expect(queryOf(noFilter, 500)).toBe("limit=500");
  expect(queryOf({ key: "a&b", model: "x/y:8b", status: "ok" }, 100)).toBe(
    "limit=100&key=a%26b&model=x%2Fy%3A8b&status=ok",
  );
});

it.each([
  [200, "ok", "good"],
  [404, "error", "warning"],
  [500, "error", "bad"],
  [502, "error", "bad"],
])("a proxied request with Ollama's status %i is shown as %s", (status, outcome, tone) => {
  const proxied = { ...finished, route: "/api/copy", status, error: null };
  for (const each of ["ok", "error"])
    expect(isShown({ ...noFilter, status: each }, proxied)).toBe(each === outcome);
  expect(toneOf(proxied)).toBe(tone);
});

it("a request that failed after its status was sent is shown as an error", () => {
  expect(isShown({ ...noFilter, status: "error" }, { ...finished, status: 200 })).toBe(true);
  expect(toneOf({ ...finished, status: 200 })).toBe("warning");
});
