import { describe, expect, it } from "vitest";
import { parseConfig } from "../../../components/config/config.ts";
import { models } from "../../../components/config/models/models.ts";

// Only names that Ollama accepts, in the form in which it lists them (types/model/name.go).

const problem = (entry: object | string) => {
  const [issue] = models.safeParse([entry]).error?.issues ?? [];
  return `${issue?.path.join(".") ?? ""} must be ${issue?.message ?? ""}`;
};

describe("a model's name", () => {
  it.each([
    ["llama3.2", "llama3.2:latest"],
    ["library/llama3.2:1b", "llama3.2:1b"],
    ["Library/llama3.2", "llama3.2:latest"],
    ["me/Llama3.2:1b", "me/Llama3.2:1b"],
  ])("%s becomes %s, as Ollama lists it", (name, listed) => {
    expect(models.parse([name])).toEqual([{ name: listed }]);
  });

  it.each(["my.namespace/a", "registry:5000/a", "host/library/a", "a".repeat(81), `a:${"1".repeat(81)}`])(
    "cannot be %s",
    (name) => {
      expect(problem(name)).toBe("0.name must be a model name such as llama3.2:1b");
    },
  );
});

it("names a wrong entry that is only a name by its place in the list", () => {
  const config = { "ollama-stack:models": '["llama3.2:1b","a b"]' };
  expect(() => parseConfig("ollama-stack", config)).toThrow(
    /models\[1\] is "a b", but must be a model name such as llama3\.2:1b; set it with: pulumi config set --path 'models\[1\]' VALUE$/m,
  );
});

describe("a model's source", () => {
  it.each([
    ["library/llama3.2:1b", "llama3.2:1b"],
    ["me/llama3.2:1b", "me/llama3.2:1b"],
    ["registry.ollama.ai/library/llama3.2:1b", "llama3.2:1b"],
    ["Registry.Ollama.AI/me/llama3.2", "me/llama3.2:latest"],
    ["registry.example/library/llama3.2:1b", "registry.example/library/llama3.2:1b"],
    ["registry:5000/library/llama3.2", "registry:5000/library/llama3.2:latest"],
    ["library/library/llama3.2:1b", "library/library/llama3.2:1b"],
    ["./library/file.gguf", "./library/file.gguf"],
  ])("%s becomes %s, as Ollama lists it", (source, listed) => {
    expect(models.parse([{ name: "own:1b", source }])).toEqual([{ name: "own:1b", source: listed }]);
  });

  it.each(["registry:5000/a", "registry.example.org/a", "host/my.namespace/a", "host:5000/b/a/c"])(
    "cannot be %s",
    (source) => {
      expect(problem({ name: "own", source })).toMatch(
        /^0\.source must be a reference such as registry\.example:5000\/library\/llama3\.2:1b, /,
      );
    },
  );
});
