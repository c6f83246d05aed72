import { z } from "zod";
import { pulumi } from "./pulumi-cli.ts";
import { settingOf } from "./stack-file.ts";

/** A resource as the last update left it in the state. */
export interface Deployed {
  readonly urn: string;
  /** The last part of the URN, as the CLI shows it. */
  readonly name: string;
  readonly type: string;
  readonly id: string;
  readonly inputs: Readonly<Record<string, unknown>>;
  readonly outputs: Readonly<Record<string, unknown>>;
  /** Pulumi refuses to delete it. */
  readonly protect: boolean;
  /** Pulumi forgets it and leaves it where it is, when it should delete it. */
  readonly retain: boolean;
}

export interface PendingOperation {
  /** creating, updating, deleting, reading or importing. */
  readonly type: string;
  readonly resource: { readonly type: string; readonly inputs: Readonly<Record<string, unknown>> };
}

/** What the state says of a stack. Secrets are in it in the clear: it is not to be written anywhere. */
export interface Deployment {
  readonly resources: readonly Deployed[];
  /** What a killed run had begun. */
  readonly pending: readonly PendingOperation[];
  /** The texts that the state holds as secrets, but for those too short to be one. */
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
          // Replaced already, and only waiting to be deleted.
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
 * Reads the state through the CLI, whatever backend it is kept in. To decrypt its secrets takes the CLI as long as all
 * the rest, and is done only where there are some.
 */
export async function readDeployment(stack: string, env: NodeJS.ProcessEnv): Promise<Deployment> {
  const exportOf = (...options: readonly string[]) =>
    pulumi(["stack", "export", ...options, "--stack", stack], { env, output: "read" });
  // API keys are what makes secrets: with them, nothing is looked up twice.
  const closed = settingOf(stack, "gatewayApiKeys") === undefined ? await exportOf() : undefined;
  const known = closed?.includes(secretMark) === false ? closed : undefined;
  return parseDeployment(known ?? (await exportOf("--show-secrets")));
}

/** What `pulumi stack export --show-secrets` prints, with each secret replaced by its value. */
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

// How the state marks an object that stands for something else, and what marks a secret among them.
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

// Pulumi hides a whole environment for one secret line. What is shorter than this is a port or a name beside it; an API
// key's digest alone has 64.
const SHORTEST_SECRET = 16;

function collect(value: unknown, secrets: Set<string>): void {
  if (typeof value === "string") {
    // A line of an environment is identified by its value.
    const told = value.slice(value.indexOf("=") + 1);
    if (told.length >= SHORTEST_SECRET) secrets.add(value).add(told);
  } else if (typeof value === "object" && value !== null)
    for (const entry of Object.values(value)) collect(entry, secrets);
}
