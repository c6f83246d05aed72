/** A step of the fake's response to a generation request. Headers go out with the first bytes, as Ollama's do. */
export type Step =
  | { readonly line: object }
  | { readonly raw: string | Buffer }
  | { readonly status: number; readonly body: string }
  | { readonly waitMs: number }
  | { readonly until: Promise<unknown> }
  /** Sends lines as fast as they are read, until the connection breaks. */
  | "flood"
  /** Breaks the connection. */
  | "cut"
  /** Sends nothing more and keeps the connection open. */
  | "hang";

export function token(content: string): Step {
  return { line: { model: "m", message: { role: "assistant", content }, done: false } };
}

/** A line with a model's thinking. */
export function thought(thinking: string): Step {
  return { line: { model: "m", message: { role: "assistant", content: "", thinking }, done: false } };
}

export const lastCounts = {
  prompt_eval_count: 11,
  eval_count: 3,
  eval_duration: 3_000_000,
  total_duration: 9_000_000,
};

export function last(over: object = {}): Step {
  return {
    line: {
      message: { role: "assistant", content: "" },
      done: true,
      done_reason: "stop",
      ...lastCounts,
      ...over,
    },
  };
}
