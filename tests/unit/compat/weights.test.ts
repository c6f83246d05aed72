import { expect, test } from "vitest";
import { templates } from "../../../compat/model/template.ts";
import { mark, scriptedModel } from "../../../compat/model/weights.ts";
import { says, toolNames } from "../../../compat/model/script.ts";

test("writes a GGUF file with a token for each state of the chat template", () => {
  const file = scriptedModel({ sees: true });
  expect(file.subarray(0, 4).toString()).toBe("GGUF");
  for (const state of [...Object.keys(says), ...toolNames]) {
    expect(file.includes(mark(state))).toBe(true);
    expect(templates.plain).toContain(`"${state}"`);
  }
});

test("writes the vision metadata only for the vision model", () => {
  expect(scriptedModel({ sees: true }).includes("llama.vision.block_count")).toBe(true);
  expect(scriptedModel({ sees: false }).includes("llama.vision.block_count")).toBe(false);
});
