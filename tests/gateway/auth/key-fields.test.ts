import { expect, test } from "vitest";
import { type KeyDefinition, newKey, parseKeys } from "../../../gateway/src/auth/api-keys.ts";

function parsed(...fields: readonly string[]): KeyDefinition | undefined {
  return parseKeys(newKey("ada", fields).line)[0];
}

test("a line without fields allows everything except administration and runner options and never expires", () => {
  expect(parsed()).toEqual({
    digest: expect.any(Buffer) as Buffer,
    name: "ada",
    admin: false,
    options: false,
    disabled: false,
  });
});

test.each<[string, Partial<KeyDefinition>]>([
  ["requests=5", { requestsPerMinute: 5 }],
  ["tokens=6", { tokensPerMinute: 6 }],
  ["tokens_per_day=7", { tokensPerDay: 7 }],
  ["tokens_per_month=8", { tokensPerMonth: 8 }],
  ["concurrent=9", { concurrent: 9 }],
  ["models=M,other:1b", { models: new Set(["m:latest", "other:1b"]) }],
  ["routes=generate,/v1/models/*,/api/tags", { routes: ["generate", "/v1/models/*", "/api/tags"] }],
  ["from=10.0.0.0/8,::1/128,192.0.2.7", { from: ["10.0.0.0/8", "::1/128", "192.0.2.7"] }],
  ["admin", { admin: true }],
  ["options", { options: true }],
  ["disabled", { disabled: true }],
  // The key is valid until the end of the day, UTC.
  ["expires=2027-01-31", { expiresAt: Date.UTC(2027, 1, 1) }],
  ["expires=2028-02-29", { expiresAt: Date.UTC(2028, 2, 1) }],
  ["expires=2027-01-31T12:30:00Z", { expiresAt: Date.UTC(2027, 0, 31, 12, 30) }],
  ["expires=2027-01-31T12:30+02:00", { expiresAt: Date.UTC(2027, 0, 31, 10, 30) }],
])("parses %s", (field, expected) => {
  expect(parsed(field)).toMatchObject(expected);
});

test.each([
  "requests=0",
  "tokens_per_day=1.5",
  "tokens_per_month=",
  "models=",
  "routes=",
  "routes=v1",
  "routes=/v1/chat",
  "routes=/v2/*",
  "from=10.0.0.0/33",
  "from=::1/129",
  "from=example.org",
  "from=10.0.0.0/8,",
  "admin=yes",
  "admin=",
  "disabled=false",
  "expires=tomorrow",
  "expires=2027-02-30",
  "expires=2027-13-01",
  "expires=2027-01-31T25:00Z",
  "expires=2027-01-31T12:00",
])("rejects %s and names the field and its allowed values", (field) => {
  const [name] = field.split("=");
  expect(() => parsed(field)).toThrow(`its field '${name}' must be`);
});

test("treats a line whose name starts with # as a comment", () => {
  expect(() => newKey("#ada", [])).toThrow("it contains no keys");
});
