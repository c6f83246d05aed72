import { expect, test } from "vitest";
import { runPython } from "./python.ts";

type Answers = Readonly<Record<string, unknown>>;

interface Helped {
  readonly parsed: unknown;
  readonly tool: { readonly answer: string; readonly "called again": number };
}

/** What the Python clients must be able to do with a real model, however small. */
export function testPythonClients(deployed: () => { readonly url: string; readonly model: string }): void {
  test("the Python clients of OpenAI and Ollama", async () => {
    const { url, model } = deployed();
    const said = JSON.parse(await runPython(["clients.py", url, model])) as {
      readonly openai: Answers & { readonly helpers: Readonly<Record<"whole" | "streamed", Helped>> };
      readonly ollama: Answers;
    };
    for (const answers of [said.openai, said.ollama]) {
      expect(answers["whole"]).not.toBe("");
      expect((answers["streamed"] as string[]).join("")).not.toBe("");
      expect(answers["models"]).toContain(model);
      expect((answers["embedding"] as number[]).length).toBeGreaterThan(0);
    }
    const unit = expect.stringMatching(/^(celsius|fahrenheit)$/) as string;
    for (const { parsed, tool } of Object.values(said.openai.helpers)) {
      expect(parsed).toEqual({ polite: expect.any(Boolean) as boolean });
      expect(tool).toMatchObject({ name: "SetUnit", unit });
      // What it makes of the result is its own affair: to say something, or to call again.
      expect(tool.answer !== "" || tool["called again"] > 0).toBe(true);
    }
    expect(said.openai["error"]).toBe("model_not_found");
    expect(said.ollama["error"]).toBe(404);
  });
}
