import * as pulumi from "@pulumi/pulumi";
import type { z } from "zod";
import { mayHoldSecret } from "../../gateway/src/config/env-types.ts";
import { ConfigError, isToRemove, toRemove } from "./config-error.ts";
import { rules } from "./cross-key-rules.ts";
import { refuseSecrets } from "./secrets.ts";
import { type GivenConfig, keys } from "./keys.ts";
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

/** What `pulumi config` holds for a project, as text, turned into checked values. Throws one line per wrong key. */
export function parseConfig(project: string, texts: Readonly<Record<string, string>>): GivenConfig {
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
export function readConfig(): GivenConfig {
  const project = pulumi.getProject();
  // The CLI hands secrets over in the clear, and their names apart: null, with a policy pack, when there are none.
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
  const path = formatPath(issue.path);
  if (issue.code === "unrecognized_keys") {
    return `${project}:${path} has the unknown field ${issue.keys.join(", ")}; known: ${knownFields(issue.path)}`;
  }
  const value = issue.path.reduce<unknown>(
    (at, step) => (at as Record<PropertyKey, unknown> | undefined)?.[step],
    raw,
  );
  // The CLI takes steps behind the key only so.
  const given = /[.[]/.test(path) ? `--path '${path}'` : `'${path}'`;
  const mend = isToRemove(issue)
    ? `; remove it with: pulumi config rm ${given}`
    : `; set it with: pulumi config set ${given} VALUE`;
  return `${project}:${path} is ${shownValue(issue, value)}, but must be ${issue.message}${mend}`;
}

/** A line may hold a key by mistake, a URL a password, a variable that the gateway does not have anything. */
function shownValue(issue: z.core.$ZodIssue, value: unknown): string {
  const [key, ...inside] = issue.path;
  if (key === "gatewayApiKeys" || mayHoldSecret(JSON.stringify(value))) return "wrong";
  const isEnvironment = key === "gatewayEnvironment" || key === "ollamaEnvironment";
  if (isEnvironment && inside.length === 0) return "wrong";
  if (isEnvironment && isToRemove(issue)) return "set";
  return value === undefined ? "not set" : JSON.stringify(value);
}

function formatPath(path: readonly PropertyKey[]): string {
  return path
    .map((step, i) => (typeof step === "number" ? `[${step}]` : i === 0 ? String(step) : `.${String(step)}`))
    .join("");
}
