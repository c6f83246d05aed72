import { z } from "zod";
import { toRemove } from "./config-error.ts";

// `ollamaEnvironment` accepts any variable that no other key sets.

const setBy: Readonly<Record<string, string>> = {
  OLLAMA_HOST: "the program",
  OLLAMA_MODELS: "the program",
  OLLAMA_NUM_PARALLEL: "ollamaParallel",
  OLLAMA_CONTEXT_LENGTH: "ollamaContextLength",
  OLLAMA_KEEP_ALIVE: "ollamaKeepAlive",
  OLLAMA_NO_CLOUD: "the program",
  OLLAMA_NOPRUNE: "the program",
  SSL_CERT_DIR: "trustedCertificates, which requires engine docker",
};

export const ollamaEnvironment = z
  .record(z.string(), z.unknown(), "a map of variables to values, such as {OLLAMA_FLASH_ATTENTION: 1}")
  .transform((entries, context): Readonly<Record<string, string>> => {
    for (const [name, value] of Object.entries(entries)) {
      const setter = Object.hasOwn(setBy, name) ? setBy[name] : undefined;
      const problem =
        setter !== undefined
          ? { message: `left out: it is set by ${setter}`, params: toRemove }
          : !/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)
            ? { message: "left out: it is not a valid variable name", params: toRemove }
            : !["string", "number", "boolean"].includes(typeof value)
              ? { message: "a string, a number or a boolean" }
              : undefined;
      if (problem !== undefined) context.addIssue({ code: "custom", path: [name], ...problem });
    }
    return Object.fromEntries(Object.entries(entries).map(([name, value]) => [name, String(value)]));
  });
