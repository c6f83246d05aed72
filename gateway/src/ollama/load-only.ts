interface Body {
  readonly messages?: unknown;
  readonly prompt?: unknown;
  readonly input?: unknown;
}

/** Whether a request has no prompt: Ollama then only loads or unloads the model. */
export function isLoadOnly(body: object): boolean {
  const { messages, prompt, input } = body as Body;
  return [messages, prompt, input].every(
    (part) => part == null || part === "" || (Array.isArray(part) && part.length === 0),
  );
}
