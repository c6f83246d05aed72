import { expect, it } from "vitest";
import { CompletionCollector } from "../../../console/src/chat/completion-stream.ts";

/** Returns a collector with a manual clock. */
function createCollector() {
  let now = 1000;
  const collector = new CompletionCollector(() => now);
  const add = (at: number, chunk: object | string) => {
    now = at;
    collector.add({ event: "message", data: typeof chunk === "string" ? chunk : JSON.stringify(chunk) });
  };
  return { collector, add };
}

const delta = (content: object, finish: string | null = null) => ({
  choices: [{ delta: content, finish_reason: finish }],
});

it("collects text, thinking, time to the first token and tokens per second from the chunks", () => {
  const { collector, add } = createCollector();
  add(1100, delta({ role: "assistant", content: "" }));
  add(1500, delta({ reasoning_content: "Hm" }));
  add(2000, delta({ content: "Hello" }));
  add(2500, delta({ content: " there" }));
  add(2510, delta({}, "stop"));
  add(2520, { choices: [], usage: { prompt_tokens: 11, completion_tokens: 21 } });
  add(2530, "[DONE]");
  expect(collector.completion).toEqual({
    text: "Hello there",
    thinking: "Hm",
    isComplete: true,
    isCut: false,
    error: undefined,
  });
  expect(collector.stats).toEqual({
    firstTokenMs: 500,
    totalMs: 1530,
    promptTokens: 11,
    generatedTokens: 21,
    tokensPerSecond: 20,
  });
});

it("marks a stream that breaks off as incomplete, without a rate", () => {
  const { collector, add } = createCollector();
  add(1500, delta({ content: "Hel" }));
  expect(collector.completion.isComplete).toBe(false);
  expect(collector.stats).toEqual({ firstTokenMs: 500, totalMs: 500 });
});

it("keeps an error within the stream with the text before it", () => {
  const { collector, add } = createCollector();
  add(1500, delta({ content: "Hel" }));
  add(1600, { error: { message: "Ollama broke off.", code: "upstream_error" } });
  expect(collector.completion).toMatchObject({ text: "Hel", error: "Ollama broke off.", isComplete: false });
});

it("marks a response that was cut at its token limit", () => {
  const { collector, add } = createCollector();
  add(1500, delta({ content: "Hel" }, "length"));
  expect(collector.completion.isCut).toBe(true);
});
