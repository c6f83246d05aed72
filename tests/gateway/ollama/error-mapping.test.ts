import { describe, expect, test } from "vitest";
import { fromConnectionError, fromStatus } from "../../../gateway/src/ollama/error-mapping.ts";

const timeouts = { noResponse: "answer_timeout", stalled: "answer_timeout" } as const;
const reset = Object.assign(new Error("reset"), { code: "ECONNRESET" });

describe("a broken connection", () => {
  test.each([
    ["connecting", false, true],
    ["sending", false, true],
    ["waiting", false, false],
    ["responding", false, false],
    ["waiting", true, true],
    ["responding", true, true],
  ] as const)("while %s (repeatable: %s) is retryable: %s", (...row) => {
    const [stage, repeatable, retryable] = row;
    expect(fromConnectionError(reset, stage, { ...timeouts, repeatable }).retryable).toBe(retryable);
  });

  test("means that the server is unreachable unless it may have received the request", () => {
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

describe("an error response of Ollama", () => {
  const failure = (status: number, error: string) => fromStatus(status, JSON.stringify({ error }), "m");

  test.each([
    [400, "json: cannot unmarshal string into Go struct field", "invalid_request", null],
    [400, "illegal base64 data at input byte 4", "invalid_request", null],
    [400, "the input length exceeds the context length", "context_length_exceeded", null],
    [
      400,
      "input exceeds maximum context length and cannot be truncated further",
      "context_length_exceeded",
      null,
    ],
    [400, '"m" does not support tools', "unsupported_parameter", "tools"],
    [400, '"m" does not support thinking', "unsupported_parameter", "think"],
    [400, '"m" does not support chat', "invalid_value", "model"],
    [400, '"m" does not support generate', "invalid_value", "model"],
    [400, "registry.ollama.ai/library/m:latest does not support insert", "unsupported_parameter", "suffix"],
    [400, "embedding contains NaN or Inf values", "invalid_request", null],
    [500, 'option "num_ctx" must be of type integer', "invalid_request", null],
    [500, "template: :1: unclosed action", "invalid_request", null],
    [500, "Failed to create new sequence: no input provided", "invalid_request", null],
    [500, "failed to create new sequence: no input provided", "invalid_request", null],
    [
      500,
      "Failed to create new sequence: failed to process inputs: image: unknown format",
      "invalid_value",
      "images",
    ],
    [
      500,
      "Failed to create new sequence: failed to process inputs: png: invalid format: not enough pixel data",
      "invalid_value",
      "images",
    ],
    [
      500,
      "Failed to create new sequence: failed to process inputs: invalid image index: 3",
      "invalid_value",
      "images",
    ],
    [500, "Failed to create new sequence: entire prompt removed by truncation", "invalid_request", null],
    [
      500,
      "this model only supports one image while more than one image requested",
      "unsupported_parameter",
      "images",
    ],
    [500, 'invalid format: "yaml"; expected "json" or a valid JSON Schema object', "invalid_value", null],
    [500, "invalid JSON schema in format", "invalid_value", null],
    [500, "memory layout cannot be allocated with num_gpu = 7", "invalid_value", "options.num_gpu"],
    [501, "this model does not support embeddings", "invalid_value", "model"],
  ])("%i '%s' becomes 400", (status, message, code, param) => {
    expect(failure(status, message)).toMatchObject({ status: 400, code, param });
  });

  test.each([
    [500, "model runner has unexpectedly stopped, this may be due to resource limitations"],
    [500, "llama runner process has terminated: exit status 2"],
    [500, "Failed to create new sequence: failed to load cache"],
    [500, "model requires more system memory (9 GiB) than is available (1 GiB)"],
    [400, 'do embedding request: Post "http://127.0.0.1:4711/embedding": EOF'],
    [400, "error reading embed response: unexpected EOF"],
    [400, "unexpected server status: llm server not responding"],
    [501, "not implemented"],
  ])("%i '%s' becomes 502", (status, message) => {
    expect(failure(status, message)).toMatchObject({ status: 502, code: "upstream_failed" });
  });
});
