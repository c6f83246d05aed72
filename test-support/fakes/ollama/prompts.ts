import type { FakeOllama } from "./fake-ollama.ts";
import type { Received } from "./received.ts";
import { type Step, last } from "./steps.ts";

export const route = "/v1/completions";
export const prompts = ["a", "b", "c"];
export const completion = { model: "m", prompt: prompts };
export const streamed = { ...completion, stream: true };

export function promptOf({ body }: Pick<Received, "body">): string {
  return (body as unknown as { prompt: string }).prompt;
}

/** Responds to one prompt with a script, and to the others with one word. */
export function respondToOne(fake: FakeOllama, prompt: string, ...script: readonly Step[]): void {
  fake.respondTo((body) => (promptOf({ body }) === prompt ? script : [last({ response: "x" })]));
}

/** Responds to each prompt with the prompt twice, and with its entry in `over`. */
export function echoes(fake: FakeOllama, over: Readonly<Record<string, object>> = {}): void {
  fake.respondTo((body) => {
    const prompt = promptOf({ body });
    const end = { message: undefined, eval_count: 3, prompt_eval_count: 11, ...over[prompt] };
    if (!body.stream) return [last({ response: prompt + prompt, ...end })];
    return [{ line: { response: prompt, done: false } }, last({ response: prompt, ...end })];
  });
}
