import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { withConfigFile } from "../../../scripts/stack/pulumi-cli.ts";
import { rulesFor, settingsFor } from "../../../scripts/stack/settings.ts";

const folder = mkdtempSync(join(tmpdir(), "ollama-stack-settings-"));
const file = join(folder, "other.yaml");
writeFileSync(file, "config:\n  ollama-stack:production: true\n  ollama-stack:networkName: other\n");
afterAll(() => {
  rmSync(folder, { recursive: true });
});

it.each([
  ["by default", "no-such-stack", [], "none"],
  ["by the stack's file", "prod", [], "internal"],
  ["by the stack's file, whose name is qualified", "organization/ollama-stack/prod", [], "internal"],
  ["by an option, whatever the file says", "prod", ["-c", "edge=none"], "none"],
])("an update is set %s", (_how, stack, options, edge) => {
  expect(settingsFor(stack, options)("edge")).toBe(edge);
});

it("another file is read in the stead of the stack's", () => {
  const settings = settingsFor("prod", ["--config-file", file]);
  expect(settings("networkName")).toBe("other");
  expect(settings("edge")).toBe("none");
});

it.each([
  ["the stack's file", "prod", [], 2],
  ["the file of a stack whose name is qualified", "organization/ollama-stack/prod", [], 2],
  ["another file", "dev", ["--config-file", file], 2],
  ["an option", "dev", ["-c", "production=true"], 2],
  ["nothing", "dev", [], 0],
  ["an option, that there is none", "prod", ["-c", "production=false"], 0],
])("the rules for production are checked where %s asks for it", (_what, stack, options, length) => {
  expect(rulesFor(settingsFor(stack, options))).toHaveLength(length);
});

describe("where the checkout is read-only", () => {
  const env = { OLLAMA_STACK_CONFIG_FILE: "/state/Pulumi.dev.yaml" };

  it("commands of the CLI that read settings, and would add a salt, are given a copy", () => {
    for (const name of ["up", "preview", "refresh", "destroy"])
      expect(withConfigFile([name, "--yes"], env)).toEqual([
        name,
        "--yes",
        "--config-file",
        "/state/Pulumi.dev.yaml",
      ]);
  });

  it("others are not, nor those that were told of another file, or where it can be written", () => {
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
