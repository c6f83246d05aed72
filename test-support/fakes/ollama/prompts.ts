import type { FakeOllama } from "./fake-ollama.ts";
import type { Received } from "./received.ts";
import { type Step, last } from "./steps.ts";

export const route = "/v1/completions";
export const prompts = ["a", "b", "c"];
export const asked = { model: "m", prompt: prompts };
export const streamed = { ...asked, stream: true };

export function promptOf({ body }: Pick<Received, "body">): string {
  return (body as unknown as { prompt: string }).prompt;
}

/** Answers one prompt so, and the others in a word. */
export function answersOne(fake: FakeOllama, prompt: string, ...script: readonly Step[]): void {
  fake.answersEach((body) => (promptOf({ body }) === prompt ? script : [last({ response: "x" })]));
}

/** Answers each prompt with itself, twice, and what stands for it beside that. */
export function echoes(fake: FakeOllama, over: Readonly<Record<string, object>> = {}): void {
  fake.answersEach((body) => {
    const prompt = promptOf({ body });
    const end = { message: undefined, eval_count: 3, prompt_eval_count: 11, ...over[prompt] };
    if (!body.stream) return [last({ response: prompt + prompt, ...end })];
    return [{ line: { response: prompt, done: false } }, last({ response: prompt, ...end })];
  });
}
