import { expect, it } from "vitest";
import { CompletionCollector } from "../../../console/src/chat/completion-stream.ts";

/** A collector whose clock is set by hand. */
function collector() {
  let now = 1000;
  const made = new CompletionCollector(() => now);
  const add = (at: number, chunk: object | string) => {
    now = at;
    made.add({ event: "message", data: typeof chunk === "string" ? chunk : JSON.stringify(chunk) });
  };
  return { made, add };
}

const delta = (content: object, finish: string | null = null) => ({
  choices: [{ delta: content, finish_reason: finish }],
});

it("text, thinking, time to the first token and tokens per second are taken from the chunks", () => {
  const { made, add } = collector();
  add(1100, delta({ role: "assistant", content: "" }));
  add(1500, delta({ reasoning_content: "Hm" }));
  add(2000, delta({ content: "Hello" }));
  add(2500, delta({ content: " there" }));
  add(2510, delta({}, "stop"));
  add(2520, { choices: [], usage: { prompt_tokens: 11, completion_tokens: 21 } });
  add(2530, "[DONE]");
  expect(made.completion).toEqual({
    text: "Hello there",
    thinking: "Hm",
    isComplete: true,
    isCut: false,
    error: undefined,
  });
  expect(made.stats).toEqual({
    firstTokenMs: 500,
    totalMs: 1530,
    promptTokens: 11,
    generatedTokens: 21,
    tokensPerSecond: 20,
  });
});

it("a stream that ends without its end is not complete, and has no rate", () => {
  const { made, add } = collector();
  add(1500, delta({ content: "Hel" }));
  expect(made.completion.isComplete).toBe(false);
  expect(made.stats).toEqual({ firstTokenMs: 500, totalMs: 500 });
});

it("an error within the stream is kept with the text before it", () => {
  const { made, add } = collector();
  add(1500, delta({ content: "Hel" }));
  add(1600, { error: { message: "Ollama broke off.", code: "upstream_error" } });
  expect(made.completion).toMatchObject({ text: "Hel", error: "Ollama broke off.", isComplete: false });
});

it("a response that was cut at its limit says so", () => {
  const { made, add } = collector();
  add(1500, delta({ content: "Hel" }, "length"));
  expect(made.completion.isCut).toBe(true);
});
