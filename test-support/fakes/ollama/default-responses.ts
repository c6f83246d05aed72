import type { OllamaChatRequest } from "../../../gateway/src/ollama/types.ts";
import { last, type Step, token } from "./steps.ts";

const durations = { total_duration: 9_000_000, load_duration: 1_000_000 };

/** The fake's response without a script. */
export function defaultResponse(method: string | undefined, path: string, body: OllamaChatRequest): Step[] {
  const { stream = true } = body as Partial<OllamaChatRequest>;
  switch (path) {
    case "/api/embed": {
      const texts = [(body as { input?: unknown }).input].flat();
      const embeddings = texts.map(() => [0.5, -0.25]);
      return [{ line: { model: "m", embeddings, ...durations, prompt_eval_count: 2 } }];
    }
    case "/api/embeddings":
      return [{ status: 200, body: '{"embedding":[0.5,-0.25]}' }];
    case "/api/generate":
      if (stream) return [{ line: { response: "Hello", done: false } }, last({ response: " there." })];
      return [last({ response: "Hello there." })];
    case "/api/pull":
    case "/api/push":
    case "/api/create":
      return [{ line: { status: "success" } }];
    // Ollama responds to these without a body or a type.
    case "/api/copy":
    case "/api/delete":
      return [{ status: 200, body: "" }];
    default:
      if (path.startsWith("/api/blobs/")) return [{ status: method === "HEAD" ? 200 : 201, body: "" }];
      if (stream) return [token("Hello"), token(" there"), token("."), last()];
      return [last({ message: { role: "assistant", content: "Hello there." } })];
  }
}
