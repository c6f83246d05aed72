import { expect, test } from "vitest";
import { templates } from "../../../compat/model/template.ts";
import { scriptedModel, stateToken } from "../../../compat/model/weights.ts";
import { replies, toolNames } from "../../../compat/model/script.ts";

test("writes a GGUF file with a token for each state of the chat template", () => {
  const file = scriptedModel({ hasVision: true });
  expect(file.subarray(0, 4).toString()).toBe("GGUF");
  for (const state of [...Object.keys(replies), ...toolNames]) {
    expect(file.includes(stateToken(state))).toBe(true);
    expect(templates.plain).toContain(`"${state}"`);
  }
});

test("writes the vision metadata only for the vision model", () => {
  expect(scriptedModel({ hasVision: true }).includes("llama.vision.block_count")).toBe(true);
  expect(scriptedModel({ hasVision: false }).includes("llama.vision.block_count")).toBe(false);
});
