import { describe, expect, it } from "vitest";
import { parseConfig } from "../../../components/config/config.ts";
import type { StackConfig } from "../../../components/config/keys.ts";
import { gatewayExposure } from "../../../components/resources/ingress.ts";
import { stackNames } from "../../../engine/names.ts";
import { configKeys } from "../../../scripts/commands/docs.ts";

function hostsOf(set: Record<string, unknown>): readonly string[] | undefined {
  const text = (value: unknown) => (typeof value === "string" ? value : JSON.stringify(value));
  const defaults = Object.entries(configKeys()).map(([key, { default: value }]) => [key, value]);
  const texts = Object.entries({ ...Object.fromEntries(defaults), ...set } as Record<string, unknown>).map(
    ([key, value]) => [`ollama-stack:${key}`, text(value)],
  );
  const config = parseConfig(
    "ollama-stack",
    Object.fromEntries(texts) as Record<string, string>,
  ) as StackConfig;
  return gatewayExposure(config, stackNames("dev", config)).allowedHosts;
}

const gatewayApiKeys = [`ada sha256=${"0".repeat(64)}`];
const gatewayAllowedHosts = ["llm.example.org"];

describe("the allowed host names of the gateway", () => {
  it("are those of the config", () => {
    expect(hostsOf({})).toEqual([]);
    expect(hostsOf({ gatewayAllowedHosts })).toEqual(["llm.example.org"]);
  });

  it("are unrestricted if keys are required and none are configured", () => {
    expect(hostsOf({ gatewayApiKeys })).toBeUndefined();
    expect(hostsOf({ gatewayApiKeys, gatewayAllowedHosts })).toEqual(["llm.example.org"]);
  });

  it("include the edge's if there is one", () => {
    const edgeNames = [
      "edge",
      "ollama-stack-dev-edge",
      "edge.ollama_network_dev",
      "ollama-stack-dev-edge.ollama_network_dev",
    ];
    expect(hostsOf({ edge: "http" })).toEqual(edgeNames);
    expect(hostsOf({ edge: "internal", edgeHostnames: ["llm.lan"] })).toEqual([...edgeNames, "llm.lan"]);
    // The number of containers changes in place, so the variable does not depend on it.
    expect(hostsOf({ edge: "http", gatewayReplicas: 3 })).toEqual(edgeNames);
  });
});
