/** OpenTelemetry's operation names for Ollama's routes. */
export const OPERATIONS: Readonly<Record<string, string>> = {
  "/api/chat": "chat",
  "/api/generate": "text_completion",
  "/api/embed": "embeddings",
  "/api/embeddings": "embeddings",
};
