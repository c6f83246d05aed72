import type { IncomingHttpHeaders } from "node:http";
import type { OllamaChatRequest } from "../../../gateway/src/ollama/types.ts";
import { canonicalModelName } from "../../../gateway/src/ollama/model-name.ts";

/** A request that the fake received. */
export interface Received {
  readonly method: string;
  readonly path: string;
  readonly body: OllamaChatRequest;
  /** The body as it was sent. */
  readonly text: string;
  readonly headers: IncomingHttpHeaders;
  /** Resolves with true if the gateway closed the connection before the end of the response, otherwise with false. */
  readonly brokenOff: Promise<boolean>;
  /** Number of bytes written by the step "flood". */
  bytesTaken: number;
}

/** Parses a JSON body, and returns other content, such as blobs, unchanged. Undefined if the JSON is invalid. */
export function bodyOf(text: string): OllamaChatRequest | undefined {
  if (!text.startsWith("{")) return text as unknown as OllamaChatRequest;
  try {
    return JSON.parse(text) as OllamaChatRequest;
  } catch {
    return undefined;
  }
}

const RUNNING: readonly string[] = ["/api/chat", "/api/generate", "/api/embed", "/api/embeddings"];

export function isMissing(
  { model }: Partial<OllamaChatRequest>,
  path: string,
  models: readonly string[],
): boolean {
  const isThere = models.some((each) => canonicalModelName(each) === canonicalModelName(model ?? ""));
  return RUNNING.includes(path) && !isThere;
}

/** Whether a request has no prompt, and so only loads its model. */
export function onlyLoads(path: string, body: Readonly<Record<string, unknown>>): boolean {
  const prompt = body["messages"] ?? body["prompt"] ?? body["input"];
  const isText = path === "/api/generate" || path === "/api/embeddings";
  return isText ? prompt === undefined : Array.isArray(prompt) && prompt.length === 0;
}
