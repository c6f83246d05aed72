import { readFileSync } from "node:fs";
import * as pulumi from "@pulumi/pulumi";
import { parse as parseYaml } from "yaml";
import { parseConfig } from "../../components/config/config.ts";

// What a stack on Kubernetes declares, without a cluster: under Pulumi's mocks.

export interface Declared {
  readonly type: string;
  readonly name: string;
  readonly inputs: Record<string, unknown>;
}

/** What a mark inside an object says of it: that it is a secret. */
const secretMark = "4dabf18193072939515e22adb298388d";

/** The values themselves, where some are secrets. */
function inTheClear(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(inTheClear);
  if (typeof value !== "object" || value === null) return value;
  if (secretMark in value) return inTheClear((value as unknown as { readonly value: unknown }).value);
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, inTheClear(each)]));
}

const made: Declared[] = [];
const models = JSON.stringify([{ name: "tiny:1b", digest: "abc", size: 42 }]);

await pulumi.runtime.setMocks(
  {
    newResource: ({ type, name, inputs }) => {
      made.push({ type, name, inputs: inTheClear(inputs) as Record<string, unknown> });
      const more = type === "command:local:Command" ? { stdout: models } : {};
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
/** The config of a stack on Kubernetes with these keys. */
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

/** Declares a stack and returns what the API server would be sent, by the name of the resource. */
export async function renderStack(set: Readonly<Record<string, unknown>> = {}) {
  made.length = 0;
  const outputs = declareStack(configOf(set), process.cwd());
  // What is declared once something else is known is waited for, too.
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
