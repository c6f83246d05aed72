import { expect, test } from "vitest";
import { canonicalModelName } from "../../../gateway/src/ollama/model-name.ts";

test.each([
  ["smollm2", "smollm2:latest"],
  ["SmolLM2:135M", "smollm2:135m"],
  ["library/smollm2", "smollm2:latest"],
  ["Library/smollm2:135m", "smollm2:135m"],
  ["registry.ollama.ai/library/smollm2", "smollm2:latest"],
  ["Registry.Ollama.AI/Library/SmolLM2:135m", "smollm2:135m"],
  ["https://registry.ollama.ai/library/smollm2", "smollm2:latest"],
  ["registry.ollama.ai/ada/smollm2", "ada/smollm2:latest"],
  ["ada/smollm2:1b", "ada/smollm2:1b"],
  // Ollama reads these as another host or namespace.
  ["registry.ollama.ai/smollm2", "registry.ollama.ai/smollm2:latest"],
  ["library/library/smollm2", "library/library/smollm2:latest"],
  ["hf.co/library/smollm2", "hf.co/library/smollm2:latest"],
  ["registry.example:5000/library/smollm2", "registry.example:5000/library/smollm2:latest"],
])("%s becomes %s", (name, canonical) => {
  expect(canonicalModelName(name)).toBe(canonical);
});
