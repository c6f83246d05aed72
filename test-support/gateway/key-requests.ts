import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { hello, type TestGateway } from "./gateway-harness.ts";

/** Sends a chat completion with a key. */
export function postChat(
  gateway: TestGateway,
  key: string,
  body: object = hello,
  init: RequestInit = {},
): Promise<Response> {
  return gateway.post("/v1/chat/completions", body, {
    headers: { "content-type": "application/json", authorization: `Bearer ${key}` },
    ...init,
  });
}

/** Writes a key file that is removed after the test. */
export function fileOf(text: string): string {
  const folder = mkdtempSync(join(tmpdir(), "gateway-keys-"));
  onTestFinished(() => {
    rmSync(folder, { recursive: true });
  });
  writeFileSync(join(folder, "keys"), text);
  return join(folder, "keys");
}
