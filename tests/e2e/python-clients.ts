import { expect, test } from "vitest";
import { runPython } from "./python.ts";

type Results = Readonly<Record<string, unknown>>;

interface HelperResult {
  readonly parsed: unknown;
  readonly tool: { readonly content: string; readonly calls: number };
}

/** Tests the Python clients with a real model, which may be small. */
export function testPythonClients(deployed: () => { readonly url: string; readonly model: string }): void {
  test("the Python clients of OpenAI and Ollama complete requests", async () => {
    const { url, model } = deployed();
    const results = JSON.parse(await runPython(["clients.py", url, model])) as {
      readonly openai: Results & {
        readonly helpers: Readonly<Record<"buffered" | "streamed", HelperResult>>;
      };
      readonly ollama: Results;
    };
    for (const client of [results.openai, results.ollama]) {
      expect(client["buffered"]).not.toBe("");
      expect((client["streamed"] as string[]).join("")).not.toBe("");
      expect(client["models"]).toContain(model);
      expect((client["embedding"] as number[]).length).toBeGreaterThan(0);
    }
    const unit = expect.stringMatching(/^(celsius|fahrenheit)$/) as string;
    for (const { parsed, tool } of Object.values(results.openai.helpers)) {
      expect(parsed).toEqual({ polite: expect.any(Boolean) as boolean });
      expect(tool).toMatchObject({ name: "SetUnit", unit });
      // The model may respond to the tool's result with text, or with another call.
      expect(tool.content !== "" || tool.calls > 0).toBe(true);
    }
    expect(results.openai["error"]).toBe("model_not_found");
    expect(results.ollama["error"]).toBe(404);
  });
}
