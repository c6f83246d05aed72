import { describe, expect, test } from "vitest";
import { fromConnectionError } from "../../../gateway/src/ollama/error-mapping.ts";

const timeouts = { beginning: "answer_timeout", silence: "answer_timeout" } as const;
const reset = Object.assign(new Error("reset"), { code: "ECONNRESET" });

describe("a broken connection", () => {
  test.each([
    ["connecting", false, true],
    ["sending", false, true],
    ["waiting", false, false],
    ["responding", false, false],
    ["waiting", true, true],
    ["responding", true, true],
  ] as const)("while %s, of a request that may run twice: %s, is retried elsewhere: %s", (...given) => {
    const [stage, repeatable, retried] = given;
    expect(fromConnectionError(reset, stage, { ...timeouts, repeatable }).retryable).toBe(retried);
  });

  test("is an unreachable server as long as it cannot have the request", () => {
    expect(fromConnectionError(reset, "sending", timeouts)).toMatchObject({
      code: "upstream_unreachable",
      final: false,
    });
    expect(fromConnectionError(reset, "waiting", timeouts)).toMatchObject({
      code: "upstream_failed",
      final: true,
    });
  });
});
