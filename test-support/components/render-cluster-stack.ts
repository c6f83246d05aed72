import { readFileSync } from "node:fs";
import * as pulumi from "@pulumi/pulumi";
import { parse as parseYaml } from "yaml";
import { parseConfig } from "../../components/config/config.ts";

// Renders a stack for Kubernetes under Pulumi's mocks, without a cluster.

export interface Declared {
  readonly type: string;
  readonly name: string;
  readonly inputs: Record<string, unknown>;
}

/** Marks an object as a secret. */
const secretMark = "4dabf18193072939515e22adb298388d";

/** Replaces secrets with their values. */
function unwrapSecrets(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(unwrapSecrets);
  if (typeof value !== "object" || value === null) return value;
  if (secretMark in value) return unwrapSecrets((value as unknown as { readonly value: unknown }).value);
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, unwrapSecrets(each)]));
}

const made: Declared[] = [];
const models = JSON.stringify([{ name: "tiny:1b", digest: "abc", size: 42 }]);

/** What the API server adds to an object. */
function fromServer(name: string, { metadata }: { metadata?: object }) {
  return { metadata: { ...metadata, uid: `${name}-uid`, resourceVersion: `${name}-version`, generation: 1 } };
}

await pulumi.runtime.setMocks(
  {
    newResource: ({ type, name, inputs }) => {
      made.push({ type, name, inputs: unwrapSecrets(inputs) as Record<string, unknown> });
      const more =
        type === "command:local:Command"
          ? { stdout: models }
          : fromServer(name, inputs as { metadata?: object });
      return { id: `${name}-id`, state: { ...(inputs as object), ...more } };
    },
    call: ({ inputs }) => inputs as Record<string, unknown>,
  },
  "ollama-stack",
  "Test_1",
);
const { declareStack } = await import("../../components/resources/kubernetes/stack.ts");

const settings = parseYaml(readFileSync("Pulumi.yaml", "utf8")) as {
  config: Record<string, { default: unknown }>;
};
/** The config of a stack on Kubernetes, with some keys set. */
export function configOf(set: Readonly<Record<string, unknown>>) {
  const defaults = Object.entries(settings.config).map(([key, { default: value }]) => [key, value]);
  const all = {
    ...Object.fromEntries(defaults),
    engine: "kubernetes",
    gatewayImage: "registry.example.org/gateway:1",
    gatewayApiKeys: [`ada sha256=${"1".repeat(64)}`],
    ...set,
  } as Record<string, unknown>;
  const texts = Object.entries(all).map(([key, value]) => [
    `ollama-stack:${key}`,
    typeof value === "string" ? value : JSON.stringify(value),
  ]);
  return parseConfig("ollama-stack", Object.fromEntries(texts) as Record<string, string>);
}

/** Declares a stack and returns the objects for the API server, by the name of the resource. */
export async function renderStack(set: Readonly<Record<string, unknown>> = {}) {
  made.length = 0;
  const outputs = declareStack(configOf(set), process.cwd());
  // Waits for resources that are declared once an output is known.
  await pulumi.runtime.disconnect();
  const declared = [...made];
  const find = (name: string) => {
    const found = declared.find((each) => each.name === name);
    if (found === undefined)
      throw new Error(`no ${name} among ${declared.map((each) => each.name).join(", ")}`);
    return found.inputs;
  };
  return { all: declared, find, outputs };
}
