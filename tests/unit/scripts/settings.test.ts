import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { withConfigFile } from "../../../scripts/stack/pulumi-cli.ts";
import { imageKeys, rulesFor, settingsFor } from "../../../scripts/stack/settings.ts";

const folder = mkdtempSync(join(tmpdir(), "ollama-stack-settings-"));
const file = join(folder, "other.yaml");
writeFileSync(file, "config:\n  ollama-stack:production: true\n  ollama-stack:networkName: other\n");
afterAll(() => {
  rmSync(folder, { recursive: true });
});

it.each([
  ["from the defaults", "no-such-stack", [], "none"],
  ["from the stack's file", "prod", [], "internal"],
  ["from the file of a stack with a qualified name", "organization/ollama-stack/prod", [], "internal"],
  ["from an option, which overrides the file", "prod", ["-c", "edge=none"], "none"],
])("reads a setting %s", (_how, stack, options, edge) => {
  expect(settingsFor(stack, options)("edge")).toBe(edge);
});

it("reads another file instead of the stack's", () => {
  const settings = settingsFor("prod", ["--config-file", file]);
  expect(settings("networkName")).toBe("other");
  expect(settings("edge")).toBe("none");
});

it.each([
  ["the stack's file", "prod", [], 2],
  ["the file of a stack with a qualified name", "organization/ollama-stack/prod", [], 2],
  ["another file", "dev", ["--config-file", file], 2],
  ["an option", "dev", ["-c", "production=true"], 2],
  ["the defaults", "dev", [], 0],
  ["an option that disables them", "prod", ["-c", "production=false"], 0],
])("checks the production rules as set by %s", (_what, stack, options, length) => {
  expect(rulesFor(settingsFor(stack, options))).toHaveLength(length);
});

const onDocker = ["ollamaImage", "gatewayBaseImage"];
const inCluster = ["ollamaImage", "gatewayImage"];

it.each<[how: string, settings: Record<string, unknown>, keys: string[]]>([
  ["on Docker", {}, onDocker],
  ["without an edge and Prometheus", { edge: "none", monitoring: "none" }, onDocker],
  [
    "with both",
    { edge: "internal", monitoring: "prometheus" },
    [...onDocker, "edgeImage", "prometheusImage"],
  ],
  ["in a cluster", { engine: "kubernetes", edge: "internal", state: "none" }, inCluster],
  ["that runs its own Valkey", { engine: "kubernetes", state: "redis" }, [...inCluster, "stateImage"]],
  ["with another Valkey", { engine: "kubernetes", state: "redis", stateAddress: "redis://a" }, inCluster],
])("lists the images of a stack %s", (_how, settings, keys) => {
  expect(imageKeys((key) => settings[key])).toEqual(keys);
});

describe("in a read-only checkout", () => {
  const env = { OLLAMA_STACK_CONFIG_FILE: "/state/Pulumi.dev.yaml" };

  it("gives CLI commands that would add a salt to the settings a copy", () => {
    for (const name of ["up", "preview", "refresh", "destroy"])
      expect(withConfigFile([name, "--yes"], env)).toEqual([
        name,
        "--yes",
        "--config-file",
        "/state/Pulumi.dev.yaml",
      ]);
  });

  it("leaves other commands, commands with a config file, and a writable checkout unchanged", () => {
    for (const args of [
      ["stack", "export"],
      ["config", "set"],
      ["up", "--config-file=x"],
      ["up", "--config-file", "x"],
    ])
      expect(withConfigFile(args, env)).toEqual(args);
    expect(withConfigFile(["up"], {})).toEqual(["up"]);
  });
});
