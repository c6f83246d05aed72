import type { ResourceValidationArgs } from "@pulumi/policy";
import { describe, expect, it } from "vitest";
import { rules } from "../../policy/rules.ts";

const digest = `@sha256:${"a".repeat(64)}`;
const types = {
  container: "docker:index/container:Container",
  image: "docker:index/remoteImage:RemoteImage",
  volume: "docker:index/volume:Volume",
  gateway: "ollama-stack:index:Gateway",
  ollama: "ollama-stack:index:OllamaServer",
  model: "ollama-stack:index:OllamaModel",
} as const;

/** What a rule says of a resource. */
async function violations(
  name: string,
  type: keyof typeof types,
  props: Record<string, unknown>,
  opts: Record<string, unknown> = {},
): Promise<string[]> {
  const rule = rules.find((each) => each.name === name);
  const said: string[] = [];
  const resource = { type: types[type], props, opts } as unknown as ResourceValidationArgs;
  const { validateResource } = rule ?? {};
  if (typeof validateResource !== "function") throw new Error(`no rule ${name}`);
  await validateResource(resource, (message) => {
    said.push(message);
  });
  return said;
}

const limited = { name: "x", memory: 512, cpuQuota: 50_000 };

describe("the rules for production", () => {
  it.each<[string, keyof typeof types, Record<string, unknown>, Record<string, unknown>?]>([
    ["keys-required", "gateway", { apiKeys: ["ada sha256=..."] }],
    ["images-pinned", "image", { name: `ollama/ollama:0.17.4${digest}` }],
    ["images-pinned", "image", { name: "x-gateway:1", build: { context: "gateway" } }],
    ["models-pinned", "model", { model: "tiny:1b", digest: "a".repeat(64) }],
    ["volumes-kept", "volume", { name: "models" }, { protect: true }],
    ["volumes-kept", "ollama", { retainModels: true }],
    ["limits-set", "container", limited],
    ["limits-set", "container", { name: "x", memory: 512, cpus: "0.5" }],
    ["limits-set", "gateway", { limits: { pids: 128 } }],
  ])("%s is kept by a %s with %j", async (...given) => {
    expect(await violations(...given)).toEqual([]);
  });

  it.each<[string, keyof typeof types, Record<string, unknown>, RegExp]>([
    ["keys-required", "gateway", { apiKeys: [] }, /npm run new-key -- NAME.*gatewayApiKeys/],
    ["keys-required", "gateway", {}, /everybody who reaches it is let in/],
    ["images-pinned", "image", { name: "ollama/ollama:0.17.4" }, /^ollama\/ollama:0\.17\.4 .*npm run pin/],
    ["images-pinned", "image", { name: "a/b@sha256:abc" }, /npm run pin/],
    ["models-pinned", "model", { model: "tiny:1b" }, /^tiny:1b .*npm run pin/],
    ["volumes-kept", "volume", { name: "models" }, /^models .*protectModels/],
    ["volumes-kept", "ollama", { retainModels: false }, /retainModels/],
    ["limits-set", "container", { ...limited, memory: 0 }, /^x may use all memory/],
    [
      "limits-set",
      "container",
      { ...limited, cpuQuota: 0 },
      /^x may use all CPUs.*ollamaCpus or gatewayCpus/,
    ],
    ["limits-set", "ollama", { limits: { pids: 0 } }, /ollamaPids or gatewayPids/],
  ])("%s is broken by a %s with %j", async (name, type, props, expected) => {
    const said = await violations(name, type, props);
    expect(said).toHaveLength(1);
    expect(said[0]).toMatch(expected);
  });

  it("each have a test that keeps and one that breaks them, are mandatory and look only at their own resources", async () => {
    for (const { name, enforcementLevel } of rules) {
      expect(enforcementLevel).toBe("mandatory");
      expect(await violations(name, name === "images-pinned" ? "volume" : "image", {})).toEqual([]);
    }
    expect(rules.map(({ name }) => name).sort()).toEqual([
      "images-pinned",
      "keys-required",
      "limits-set",
      "models-pinned",
      "volumes-kept",
    ]);
  });
});
