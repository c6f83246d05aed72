import { expect, test } from "vitest";
import { normalizeUrl } from "../../../gateway/src/lib/request-path.ts";

test.each([
  ["/", "/"],
  ["//", "/"],
  ["/v1/models", "/v1/models"],
  ["/v1/models/", "/v1/models"],
  ["//v1///models//", "/v1/models"],
  ["/v1//models/?a=//b/", "/v1/models?a=//b/"],
  ["/v1/models?next=/", "/v1/models?next=/"],
  ["/v1/models/hf.co%2Fa%2Fb/", "/v1/models/hf.co%2Fa%2Fb"],
  ["http://localhost:8000//v1/models/", "http://localhost:8000//v1/models/"],
  ["*", "*"],
  ["", ""],
])("normalizes %s to %s", (url, normalized) => {
  expect(normalizeUrl(url)).toBe(normalized);
});
