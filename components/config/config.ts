import * as pulumi from "@pulumi/pulumi";
import type { z } from "zod";
import { mayHoldSecret } from "../../gateway/src/config/env-types.ts";
import { ConfigError, mustBeRemoved, toRemove } from "./config-error.ts";
import { rules } from "./cross-key-rules.ts";
import { refuseSecrets } from "./secrets.ts";
import { type ParsedConfig, keys } from "./keys.ts";
import { knownFields } from "./models/models.ts";

export const configSchema = keys.superRefine((config, context) => {
  for (const { breaks, path, inside, message, toRemove: removes = false } of rules) {
    const at = inside === undefined ? [path] : [path, inside];
    const params = removes ? toRemove : {};
    if (breaks(config)) context.addIssue({ code: "custom", path: at, message, params });
  }
});

const structured = new Set([
  "ollamaHosts",
  "ollamaEnvironment",
  "models",
  "gatewayApiKeys",
  "gatewayAllowedHosts",
  "gatewayEnvironment",
  "edgeHostnames",
  "alertmanagers",
  "nodeSelector",
  "tolerations",
  "imagePullSecrets",
  "gpuGroups",
  "ingressHostnames",
  "ingressAnnotations",
  "gatewayAllowedSources",
]);

/** Parses and validates a project's `pulumi config`. @throws ConfigError with one line per invalid key */
export function parseConfig(project: string, texts: Readonly<Record<string, string>>): ParsedConfig {
  const problems: string[] = [];
  const raw: Record<string, unknown> = {};
  for (const [qualified, text] of Object.entries(texts)) {
    if (!qualified.startsWith(`${project}:`)) continue;
    const key = qualified.slice(project.length + 1);
    raw[key] = structured.has(key) ? parseJson(text) : text;
  }
  const result = configSchema.safeParse(raw);
  if (result.success) return result.data;
  for (const issue of result.error.issues) problems.push(describe(project, raw, issue));
  throw new ConfigError(problems);
}

/** The stack's config, read once. */
export function readConfig(): ParsedConfig {
  const project = pulumi.getProject();
  // The CLI passes secrets in clear text and lists their names separately: null if there are none and a policy pack is used.
  const secrets = JSON.parse(process.env["PULUMI_CONFIG_SECRET_KEYS"] ?? "null") as string[] | null;
  refuseSecrets(project, secrets ?? []);
  return parseConfig(project, pulumi.runtime.allConfig());
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function describe(project: string, raw: Record<string, unknown>, issue: z.core.$ZodIssue): string {
  if (issue.code === "unrecognized_keys" && issue.path.length === 0) {
    const known = Object.keys(configSchema.shape).join(", ");
    return issue.keys
      .map(
        (key) =>
          `${project}:${key} is not a config key of this project; remove it (pulumi config rm ${key}). Known: ${known}`,
      )
      .join("\n");
  }
  const steps = configuredPath(issue.path, raw);
  const path = formatPath(steps);
  if (issue.code === "unrecognized_keys") {
    return `${project}:${path} has the unknown field ${issue.keys.join(", ")}; known: ${knownFields(issue.path)}`;
  }
  const value = valueAt(steps, raw);
  // The CLI needs --path to address a value inside a key.
  const keyArgument = /[.[]/.test(path) ? `--path '${path}'` : `'${path}'`;
  const fix = mustBeRemoved(issue)
    ? `; remove it with: pulumi config rm ${keyArgument}`
    : `; set it with: pulumi config set ${keyArgument} VALUE`;
  return `${project}:${path} is ${shownValue(issue, value)}, but must be ${issue.message}${fix}`;
}

/** The part of a path that the config has: a model given as text has no field for its name. */
function configuredPath(path: readonly PropertyKey[], raw: unknown): readonly PropertyKey[] {
  const end = path.findIndex((_, i) => i > 0 && typeof valueAt(path.slice(0, i), raw) === "string");
  return end === -1 ? path : path.slice(0, end);
}

function valueAt(path: readonly PropertyKey[], raw: unknown): unknown {
  return path.reduce<unknown>((at, step) => (at as Record<PropertyKey, unknown> | undefined)?.[step], raw);
}

/** Hides values that may contain a secret: a key pasted by mistake, a URL's password, an unknown variable. */
function shownValue(issue: z.core.$ZodIssue, value: unknown): string {
  const [key, ...inside] = issue.path;
  if (key === "gatewayApiKeys" || mayHoldSecret(JSON.stringify(value))) return "wrong";
  const isEnvironment = key === "gatewayEnvironment" || key === "ollamaEnvironment";
  if (isEnvironment && inside.length === 0) return "wrong";
  if (isEnvironment && mustBeRemoved(issue)) return "set";
  return value === undefined ? "not set" : JSON.stringify(value);
}

/** A path in the CLI's format, which is also that of --path. */
function formatPath(path: readonly PropertyKey[]): string {
  return path
    .map((step, i) => {
      if (typeof step === "number") return `[${step}]`;
      const name = String(step);
      if (i === 0) return name;
      return /^[\w-]+$/.test(name) ? `.${name}` : `[${JSON.stringify(name)}]`;
    })
    .join("");
}
