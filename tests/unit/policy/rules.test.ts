import type { ResourceValidationArgs } from "@pulumi/policy";
import { describe, expect, it } from "vitest";
import { newKey } from "../../../gateway/src/auth/api-keys.ts";
import { rules } from "../../../policy/rules.ts";

const digest = `@sha256:${"a".repeat(64)}`;
const types = {
  container: "docker:index/container:Container",
  image: "docker:index/remoteImage:RemoteImage",
  volume: "docker:index/volume:Volume",
  network: "ollama-stack:index:ServiceNetwork",
  gateway: "ollama-stack:index:Gateway",
  edge: "ollama-stack:index:Edge",
  ollama: "ollama-stack:index:OllamaServer",
  model: "ollama-stack:index:OllamaModel",
} as const;

/** Returns the violations that a rule reports for a resource. */
async function violations(
  name: string,
  type: keyof typeof types,
  props: Record<string, unknown>,
  opts: Record<string, unknown> = {},
): Promise<string[]> {
  const rule = rules.find((each) => each.name === name);
  const messages: string[] = [];
  const { urn = `urn:pulumi:prod::ollama-stack::${types[type]}::x`, ...own } = opts;
  const resource = { type: types[type], props, opts: own, urn } as unknown as ResourceValidationArgs;
  const { validateResource } = rule ?? {};
  if (typeof validateResource !== "function") throw new Error(`no rule ${name}`);
  await validateResource(resource, (message) => {
    messages.push(message);
  });
  return messages;
}

const limited = { name: "x", memory: 512, cpuQuota: 50_000 };

describe("the rules for production", () => {
  it.each<[string, keyof typeof types, Record<string, unknown>, Record<string, unknown>?]>([
    ["keys-required", "gateway", { apiKeys: ["# team", newKey("ada", []).line] }],
    ["ollama-unpublished", "ollama", { port: 0 }],
    ["neighbours-kept-out", "network", { networkName: "x", neighbourAccess: "closed" }],
    ["tls-required", "gateway", { published: { bindAddress: "127.0.0.1", port: 8000 } }],
    ["tls-required", "gateway", { published: { behind: { edge: "x-edge" } } }],
    ["tls-required", "edge", { mode: "acme", bindAddress: "0.0.0.0" }],
    ["tls-required", "edge", { mode: "http", bindAddress: "::1" }],
    [
      "volumes-kept",
      "volume",
      { name: "x-edge-data" },
      { urn: "urn:pulumi:prod::ollama-stack::ollama-stack:index:Edge$docker:index/volume:Volume::edge-data" },
    ],
    [
      "volumes-kept",
      "volume",
      { name: "x-gateway-keys" },
      {
        urn: "urn:pulumi:prod::ollama-stack::ollama-stack:index:Gateway$docker:index/volume:Volume::gateway-keys-volume",
      },
    ],
    ["images-pinned", "image", { name: `ollama/ollama:0.17.4${digest}` }],
    ["images-pinned", "image", { name: "x-gateway:1", build: { context: "gateway" } }],
    ["models-pinned", "model", { model: "tiny:1b", digest: "a".repeat(64) }],
    ["volumes-kept", "volume", { name: "models" }, { protect: true }],
    ["volumes-kept", "ollama", { retainModels: true }],
    ["text-unlogged", "gateway", { environment: { LOG_TEXT: "off" } }],
    ["text-unlogged", "gateway", { environment: {} }],
    ["cloud-unused", "model", { model: "cloudy:1b", source: "cloudy:1b" }],
    ["cloud-unused", "container", { envs: ["OLLAMA_HOST=0.0.0.0:11434", "OLLAMA_NO_CLOUD=1"] }],
    ["cloud-unused", "container", { envs: ["PORT=8000"] }],
    ["limits-set", "container", limited],
    ["limits-set", "container", { name: "x", memory: 512, cpus: "0.5" }],
    ["limits-set", "gateway", { limits: { pids: 128 } }],
  ])("%s accepts a %s with %j", async (...given) => {
    expect(await violations(...given)).toEqual([]);
  });

  it.each<[string, keyof typeof types, Record<string, unknown>, RegExp]>([
    ["keys-required", "gateway", { apiKeys: [] }, /npm run new-key -- NAME.*gatewayApiKeys/],
    // Lines without a key would open the gateway.
    [
      "keys-required",
      "gateway",
      { apiKeys: ["# alice sha256=... (left)"] },
      /anyone who can reach it has access/,
    ],
    ["keys-required", "gateway", { apiKeys: ["", " ; "] }, /anyone who can reach it has access/],
    ["keys-required", "gateway", { apiKeys: ["ada sha256=sk-x"] }, /cannot be read: key 1: its sha256/],
    ["keys-required", "gateway", {}, /anyone who can reach it has access/],
    [
      "neighbours-kept-out",
      "network",
      { neighbourAccess: "open" },
      /moby#45610.*Docker 28.*docs\/security\.md/,
    ],
    [
      "neighbours-kept-out",
      "network",
      { neighbourAccess: "unknown" },
      /unless its host drops.*read by root on/,
    ],
    ["ollama-unpublished", "ollama", { port: 8008 }, /published at port 8008.*ollamaPort to 0/],
    ["tls-required", "gateway", { published: { bindAddress: "0.0.0.0" } }, /without TLS at 0\.0\.0\.0.*edge/],
    ["tls-required", "edge", { mode: "http", bindAddress: "10.0.0.5" }, /without TLS at 10\.0\.0\.5/],
    ["images-pinned", "image", { name: "ollama/ollama:0.17.4" }, /^ollama\/ollama:0\.17\.4 .*npm run pin/],
    ["images-pinned", "image", { name: "a/b@sha256:abc" }, /npm run pin/],
    ["models-pinned", "model", { model: "tiny:1b" }, /^tiny:1b .*npm run pin/],
    ["volumes-kept", "volume", { name: "models" }, /^models .*protectModels/],
    ["volumes-kept", "ollama", { retainModels: false }, /retainModels/],
    [
      "text-unlogged",
      "gateway",
      { environment: { LOG_TEXT: "on" } },
      /prompts and responses.*gatewayEnvironment/,
    ],
    ["text-unlogged", "gateway", { environment: { LOG_TEXT: " on " } }, /prompts and responses/],
    ["cloud-unused", "model", { model: "gpt-oss:120b-cloud" }, /^gpt-oss:120b-cloud runs in Ollama's cloud/],
    ["cloud-unused", "model", { model: "mine:1b", source: "kimi-k2.5:cloud" }, /^kimi-k2\.5:cloud runs/],
    ["cloud-unused", "model", { model: "gpt-oss-cloud:latest" }, /^gpt-oss-cloud:latest runs/],
    ["cloud-unused", "container", { envs: ["OLLAMA_HOST=0.0.0.0:11434"] }, /OLLAMA_NO_CLOUD=1/],
    ["limits-set", "container", { ...limited, memory: 0 }, /^x may use all memory/],
    [
      "limits-set",
      "container",
      { ...limited, cpuQuota: 0 },
      /^x may use all CPUs.*ollamaCpus, gatewayCpus, edgeCpus or prometheusCpus/,
    ],
    ["limits-set", "ollama", { limits: { pids: 0 } }, /ollamaPids, gatewayPids, edgePids or prometheusPids/],
  ])("%s rejects a %s with %j", async (name, type, props, expected) => {
    const messages = await violations(name, type, props);
    expect(messages).toHaveLength(1);
    expect(messages[0]).toMatch(expected);
  });

  it("are exactly these, are mandatory and check only their own types of resources", async () => {
    for (const { name, enforcementLevel } of rules) {
      expect(enforcementLevel).toBe("mandatory");
      expect(await violations(name, name === "images-pinned" ? "volume" : "image", {})).toEqual([]);
    }
    expect(rules.map(({ name }) => name).sort()).toEqual([
      "cloud-unused",
      "images-pinned",
      "keys-required",
      "limits-set",
      "models-pinned",
      "neighbours-kept-out",
      "ollama-unpublished",
      "text-unlogged",
      "tls-required",
      "volumes-kept",
    ]);
  });
});
