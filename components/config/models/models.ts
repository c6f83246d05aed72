import { z } from "zod";
import { toRemove } from "../config-error.ts";
import { sourceKind } from "./model-source.ts";

// What the config may say of a model. Each message completes the sentence "KEY is VALUE, but must be ...".

const part = "[A-Za-z0-9_][A-Za-z0-9_.-]*";
const nameAllowed = "a model name such as llama3.2:1b";
const name = z
  .string(nameAllowed)
  .regex(new RegExp(`^(${part}/)?${part}(:${part})?$`), nameAllowed)
  .transform((text) => (text.includes(":") ? text : `${text}:latest`));

const sourceAllowed =
  "a reference such as registry.example:5000/library/llama3.2:1b, or a GGUF file: an https URL or a path that begins with ./, ../ or /";
const reference = new RegExp(`^(${part}(:\\d{1,5})?/)?(${part}/)?${part}(:${part})?$`);
const source = z
  .string(sourceAllowed)
  .refine(
    (text) => sourceKind(text) !== "url" || !URL.canParse(text) || new URL(text).username === "",
    "a URL without a user and a password, which preview and state would show",
  )
  .refine((text) => {
    const kind = sourceKind(text);
    return kind === "registry" ? reference.test(text) : kind === "path" || URL.canParse(text);
  }, sourceAllowed)
  // A port is followed by a slash, a tag is not.
  .transform((text) => (sourceKind(text) !== "registry" || /:[^/]+$/.test(text) ? text : `${text}:latest`));

const digestAllowed = "64 hexadecimal digits, with or without sha256: in front";
const digest = z
  .string(digestAllowed)
  .regex(/^(sha256:)?[0-9a-fA-F]{64}$/, digestAllowed)
  .transform((text) => text.replace("sha256:", "").toLowerCase());

// `pulumi config set --path` makes numbers and booleans of what looks like one, and text of all else.
const number = (allowed: string, whole: boolean) =>
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
    .refine((value) => !whole || Number.isInteger(value), allowed);
const integer = number("a whole number", true);
const float = number("a number", false);

const stopAllowed = "a text or a list of texts, none of them empty";

/** Ollama's parameters, and what each takes. An unknown one would be kept by Ollama and do nothing. */
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

const text = z.string("a text").min(1, "a text that is not empty, or left out");
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

/** A model as the config has it, checked. */
export type ModelConfig = z.output<typeof model>;

/** What of a model differs from its source. */
export type ModelChanges = Pick<ModelConfig, "parameters" | "template" | "system">;

/** The fields that an object at a path inside `models` may have, for a message about one that it may not. */
export function knownFields(path: readonly PropertyKey[]): string {
  return Object.keys((path.includes("parameters") ? parameters : fields).shape).join(", ");
}

/** Whether Ollama would run a model of this name in its cloud, by the rule of its server. */
export function isCloudName(text: string): boolean {
  return /[:-]cloud$/i.test(text.replace(/:latest$/i, ""));
}

/** How Ollama compares names: case does not matter, and `library/` is what a name without namespace has. */
export function canonicalName(text: string): string {
  return text.toLowerCase().replace(/^library\//, "");
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
      (list) => new Set(list.map((entry) => canonicalName(entry.name))).size === list.length,
      "a list that names each model once",
    )
    .refine(
      (list) => !list.some(({ name: own, source: from = own }) => isCloudName(own) || isCloudName(from)),
      "a list without models of Ollama's cloud (-cloud, :cloud), which the stack's servers do not use",
    ),
);
