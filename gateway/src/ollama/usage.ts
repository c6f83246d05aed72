import type { OllamaEvent } from "./types.ts";

/** Token counts of a response, in OpenAI's format. */
export interface Usage {
  readonly prompt_tokens: number;
  readonly completion_tokens: number;
  readonly total_tokens: number;
}

export function usageOf(event: OllamaEvent): Usage {
  // Ollama omits counts of zero.
  const prompt = event.prompt_eval_count ?? 0;
  const completion = event.eval_count ?? 0;
  return { prompt_tokens: prompt, completion_tokens: completion, total_tokens: prompt + completion };
}

export function sumOf(one: Usage, other: Usage): Usage {
  return {
    prompt_tokens: one.prompt_tokens + other.prompt_tokens,
    completion_tokens: one.completion_tokens + other.completion_tokens,
    total_tokens: one.total_tokens + other.total_tokens,
  };
}
