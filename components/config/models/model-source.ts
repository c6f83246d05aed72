import { isAbsolute } from "node:path";

/** The parts of a reference to a model in a registry. */
export interface RegistryReference {
  /** "host" or "host:port". */
  readonly host: string;
  readonly namespace: string;
  readonly model: string;
  readonly tag: string;
}

const ollamaRegistry = "registry.ollama.ai";

/**
 * The kind of a model's source, by Ollama's rule for FROM: a path or a URL is a GGUF file, anything else a model in a
 * registry. A path is absolute or begins with "./" or "../".
 */
export function sourceKind(source: string): "registry" | "path" | "url" {
  if (/^https?:\/\//i.test(source)) return "url";
  return /^\.{1,2}[/\\]/.test(source) || isAbsolute(source) ? "path" : "registry";
}

/** The name under which Ollama lists a model: without its own registry, and without that registry's `library/`. */
export function listedReference(reference: string): string {
  const [host = "", ...rest] = reference.split("/");
  const own = rest.length === 2 && host.toLowerCase() === ollamaRegistry ? rest : [host, ...rest];
  return own.length === 2 && own[0]?.toLowerCase() === "library" ? (own[1] ?? "") : own.join("/");
}

/** Parses "host:port/namespace/model:tag", in which all parts but the model are optional. */
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
