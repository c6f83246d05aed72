import { z } from "zod";
import { toRemove } from "../config-error.ts";
import { listedReference, sourceKind } from "./model-source.ts";

// The schema of `models`. Each message completes the sentence "KEY is VALUE, but must be ...".

const part = "[A-Za-z0-9_][A-Za-z0-9_.-]{0,79}";
const namespace = "[A-Za-z0-9_][A-Za-z0-9_-]{0,79}";
const nameAllowed = "a model name such as llama3.2:1b";
const name = z
  .string(nameAllowed)
  .regex(new RegExp(`^(${namespace}/)?${part}(:${part})?$`), nameAllowed)
  .transform((text) => listedReference(text.includes(":") ? text : `${text}:latest`));

const sourceAllowed =
  "a reference such as registry.example:5000/library/llama3.2:1b, or a GGUF file: an https URL or a path that begins with ./, ../ or /";
const host = "[A-Za-z0-9_][A-Za-z0-9_.-]{0,343}(:\\d{1,5})?";
const reference = new RegExp(`^((${host}/)?${namespace}/)?${part}(:${part})?$`);
const source = z
  .string(sourceAllowed)
  .refine(
    (text) => sourceKind(text) !== "url" || !URL.canParse(text) || new URL(text).username === "",
    "a URL without user and password, because preview and state would show them",
  )
  .refine((text) => {
    const kind = sourceKind(text);
    return kind === "registry" ? reference.test(text) : kind === "path" || URL.canParse(text);
  }, sourceAllowed)
  // A port is followed by a slash, a tag is not.
  .transform((text) =>
    sourceKind(text) === "registry" ? listedReference(/:[^/]+$/.test(text) ? text : `${text}:latest`) : text,
  );

const digestAllowed = "64 hexadecimal digits, optionally prefixed with sha256:";
const digest = z
  .string(digestAllowed)
  .regex(/^(sha256:)?[0-9a-fA-F]{64}$/, digestAllowed)
  .transform((text) => text.replace("sha256:", "").toLowerCase());

// `pulumi config set --path` converts what looks like an integer or a boolean; any other number arrives as text.
const number = (allowed: string, isInteger: boolean) =>
  z
    .union(
      [
        z.number(),
        z
          .string()
          .regex(/^-?\d+(\.\d+)?$/)
          .transform(Number),
      ],
      allowed,
    )
    .refine((value) => !isInteger || Number.isInteger(value), allowed);
const integer = number("a whole number", true);
const float = number("a number", false);

const stopAllowed = "a string or a list of strings, none of them empty";

/** Ollama's parameters. Ollama would store an unknown one and ignore it. */
const parameters = z
  .strictObject(
    {
      num_ctx: integer,
      num_predict: integer,
      num_keep: integer,
      num_batch: integer,
      num_gpu: integer,
      main_gpu: integer,
      num_thread: integer,
      use_mmap: z.boolean("true or false"),
      seed: integer,
      temperature: float,
      top_k: integer,
      top_p: float,
      min_p: float,
      typical_p: float,
      repeat_last_n: integer,
      repeat_penalty: float,
      presence_penalty: float,
      frequency_penalty: float,
      stop: z
        .union([z.string(), z.array(z.string())], stopAllowed)
        .transform((texts) => (typeof texts === "string" ? [texts] : texts))
        .refine((texts) => texts.length > 0 && !texts.includes(""), stopAllowed),
    },
    "Ollama's parameters, such as {temperature: 0.2, stop: ['###']}",
  )
  .partial();

const text = z.string("a string").min(1, "a string that is not empty, or left out");
const flag = z.boolean("true or false");

const fields = z.strictObject(
  {
    name,
    source: source.optional(),
    digest: digest.optional(),
    insecure: flag.optional(),
    parameters: parameters.optional(),
    template: text.optional(),
    system: text.optional(),
    keepLoaded: flag.optional(),
    retain: flag.optional(),
  },
  "{name, source?, ...}",
);

export const model = fields
  .refine(
    ({ source: from, digest: pin }) => from === undefined || sourceKind(from) !== "url" || pin !== undefined,
    {
      path: ["digest"],
      message: "the SHA-256 of the file, because source is a URL",
    },
  )
  .refine(
    ({ source: from, insecure }) =>
      insecure !== true || from === undefined || sourceKind(from) === "registry",
    { path: ["insecure"], message: "left out for a GGUF file", params: toRemove },
  );

/** A validated entry of `models`. */
export type ModelConfig = z.output<typeof model>;

/** The overrides of a model's source. */
export type ModelChanges = Pick<ModelConfig, "parameters" | "template" | "system">;

/** The fields allowed at a path inside `models`, for an error about an unknown one. */
export function knownFields(path: readonly PropertyKey[]): string {
  return Object.keys((path.includes("parameters") ? parameters : fields).shape).join(", ");
}

/** Whether Ollama's server would run a model of this name in its cloud. */
export function isCloudName(text: string): boolean {
  return /[:-]cloud$/i.test(text.replace(/:latest$/i, ""));
}

export const models = z.preprocess(
  (list) =>
    Array.isArray(list)
      ? list.map((entry: unknown) => (typeof entry === "string" ? { name: entry } : entry))
      : list,
  z
    .array(model, "a list of models")
    .min(1, "a list of at least one model")
    .refine(
      // Ollama ignores case.
      (list) => new Set(list.map((entry) => entry.name.toLowerCase())).size === list.length,
      "a list that names each model once",
    )
    .refine(
      (list) => !list.some(({ name: own, source: from = own }) => isCloudName(own) || isCloudName(from)),
      "a list without Ollama cloud models (-cloud, :cloud), which the stack's servers cannot run",
    ),
);
