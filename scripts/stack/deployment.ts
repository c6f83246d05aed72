import { z } from "zod";
import { pulumi } from "./pulumi-cli.ts";
import { settingOf } from "./stack-file.ts";

/** A resource in the state. */
export interface Deployed {
  readonly urn: string;
  /** The last part of the URN, as the CLI shows it. */
  readonly name: string;
  readonly type: string;
  readonly id: string;
  readonly inputs: Readonly<Record<string, unknown>>;
  readonly outputs: Readonly<Record<string, unknown>>;
  /** Whether Pulumi refuses to delete it. */
  readonly protect: boolean;
  /** Whether Pulumi removes it from the state only, instead of deleting it. */
  readonly retain: boolean;
}

/** The resource that wrote a deployed stack's API keys; undefined if its gateway has no keys. */
export function deployedKeys(resources: readonly Deployed[]): Deployed | undefined {
  return resources.find(({ type, name }) => type === "command:local:Command" && name === "gateway-keys");
}

export interface PendingOperation {
  /** creating, updating, deleting, reading or importing. */
  readonly type: string;
  readonly resource: { readonly type: string; readonly inputs: Readonly<Record<string, unknown>> };
}

/** A stack's state, with decrypted secrets: it must not be written anywhere. */
export interface Deployment {
  readonly resources: readonly Deployed[];
  /** Operations that a killed run had started. */
  readonly pending: readonly PendingOperation[];
  /** The secret strings in the state, except those too short to be secrets. */
  readonly secrets: ReadonlySet<string>;
}

const bag = z
  .record(z.string(), z.unknown())
  .nullish()
  .transform((value) => value ?? {});
const exported = z.object({
  deployment: z.object({
    resources: z
      .array(
        z.object({
          urn: z.string(),
          type: z.string(),
          id: z.string().default(""),
          inputs: bag,
          outputs: bag,
          protect: z.boolean().default(false),
          retainOnDelete: z.boolean().default(false),
          // Already replaced and pending deletion.
          delete: z.boolean().default(false),
        }),
      )
      .nullish(),
    pending_operations: z
      .array(z.object({ type: z.string(), resource: z.object({ type: z.string(), inputs: bag }) }))
      .nullish(),
  }),
});

/**
 * Reads the state through the CLI, from any backend. Decrypting secrets doubles the CLI's time, so it is done only if there
 * are any.
 */
export async function readDeployment(stack: string, env: NodeJS.ProcessEnv): Promise<Deployment> {
  const exportOf = (...options: readonly string[]) =>
    pulumi(["stack", "export", ...options, "--stack", stack], { env, output: "read" });
  // With API keys there are secrets, so the state is read only once.
  const closed = settingOf(stack, "gatewayApiKeys") === undefined ? await exportOf() : undefined;
  const known = closed?.includes(secretMark) === false ? closed : undefined;
  return parseDeployment(known ?? (await exportOf("--show-secrets")));
}

/** Parses `pulumi stack export --show-secrets` and replaces each secret by its value. */
export function parseDeployment(text: string): Deployment {
  const { resources, pending_operations } = exported.parse(JSON.parse(text)).deployment;
  const secrets = new Set<string>();
  const open = (values: Record<string, unknown>) => reveal(values, secrets) as Record<string, unknown>;
  return {
    resources: (resources ?? [])
      .filter((resource) => !resource.delete)
      .map(({ urn, type, id, inputs, outputs, protect, retainOnDelete }) => ({
        urn,
        name: urn.split("::").at(-1) ?? urn,
        type,
        id,
        inputs: open(inputs),
        outputs: open(outputs),
        protect,
        retain: retainOnDelete,
      })),
    pending: (pending_operations ?? []).map(({ type, resource }) => ({
      type,
      resource: { type: resource.type, inputs: open(resource.inputs) },
    })),
    secrets,
  };
}

// The state's marker of special objects, and its value for secrets.
const signature = "4dabf18193072939515e22adb298388d";
const secretMark = "1b47061264138c4ac30d75fd1eb44270";

function reveal(value: unknown, secrets: Set<string>): unknown {
  if (Array.isArray(value)) return value.map((entry) => reveal(entry, secrets));
  if (typeof value !== "object" || value === null) return value;
  const entries = value as Record<string, unknown>;
  if (entries[signature] === secretMark && typeof entries["plaintext"] === "string") {
    const plain = JSON.parse(entries["plaintext"]) as unknown;
    collect(plain, secrets);
    return reveal(plain, secrets);
  }
  return Object.fromEntries(Object.entries(entries).map(([key, entry]) => [key, reveal(entry, secrets)]));
}

// Pulumi hides a complete environment if one variable is secret. Shorter values are ports or names; the digest of an API key
// alone has 64 characters.
const SHORTEST_SECRET = 16;

function collect(value: unknown, secrets: Set<string>): void {
  if (typeof value === "string") {
    // Identifies an environment variable by its value.
    const content = value.slice(value.indexOf("=") + 1);
    if (content.length >= SHORTEST_SECRET) secrets.add(value).add(content);
  } else if (typeof value === "object" && value !== null)
    for (const entry of Object.values(value)) collect(entry, secrets);
}
