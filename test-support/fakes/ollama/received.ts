import type { IncomingHttpHeaders } from "node:http";
import type { OllamaChatRequest } from "../../../gateway/src/ollama/types.ts";
import { canonicalModelName } from "../../../gateway/src/ollama/model-name.ts";

/** A request that the fake got. */
export interface Received {
  readonly method: string;
  readonly path: string;
  readonly body: OllamaChatRequest;
  /** The body as it was sent. */
  readonly text: string;
  readonly headers: IncomingHttpHeaders;
  /** Resolves with true when the gateway broke the connection off before the answer was over, else with false. */
  readonly brokenOff: Promise<boolean>;
  /** How much has been written of a flood. */
  bytesTaken: number;
}

/** Undefined: it is neither JSON nor, as a blob is, bytes. */
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

/** A request without a prompt loads its model, of any kind. */
export function onlyLoads(path: string, body: Readonly<Record<string, unknown>>): boolean {
  const said = body["messages"] ?? body["prompt"] ?? body["input"];
  const isText = path === "/api/generate" || path === "/api/embeddings";
  return isText ? said === undefined : Array.isArray(said) && said.length === 0;
}
