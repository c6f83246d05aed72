import { isAbsolute } from "node:path";

/** A model in a registry, by the parts of its reference. */
export interface RegistryReference {
  /** "host" or "host:port". */
  readonly host: string;
  readonly namespace: string;
  readonly model: string;
  readonly tag: string;
}

const ollamaRegistry = "registry.ollama.ai";

/**
 * What is meant by a model's source, with the rule that Ollama has for FROM: a path or a URL is a GGUF file, anything
 * else is a model of a registry. A path is absolute or begins with "./" or "../".
 */
export function sourceKind(source: string): "registry" | "path" | "url" {
  if (/^https?:\/\//i.test(source)) return "url";
  return /^\.{1,2}[/\\]/.test(source) || isAbsolute(source) ? "path" : "registry";
}

/** "host:port/namespace/model:tag", each but the model optional, taken apart. */
export function parseReference(reference: string): RegistryReference {
  const parts = reference.split("/");
  const [model = "", tag = "latest"] = (parts.pop() ?? "").split(":");
  return {
    host: parts.length > 1 ? (parts[0] ?? "") : ollamaRegistry,
    namespace: parts.at(-1) ?? "library",
    model,
    tag,
  };
}
