import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { copyCiConfig } from "../../../scripts/stack/ci-stack.ts";
import { settingsIn } from "../../../scripts/stack/stack-file.ts";

let folder: string;
const file = (stack: string) => join(folder, `Pulumi.${stack}.yaml`);
const read = (stack: string) => readFileSync(file(stack), "utf8");
const write = (stack: string, text: string) => {
  writeFileSync(file(stack), text);
};
const ci = "# Throwaway.\nconfig:\n  ollama-stack:gatewayPort: auto\n  ollama-stack:ollamaMemoryMiB: 2048\n";
/** A file after the CLI has added its salt. */
const salted = (text: string) =>
  `${text.replaceAll(/: (\d+)$/gm, ': "$1"')}encryptionsalt: v1:abc=:v1:def:ghi=\n`;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "ollama-stack-ci-runs-"));
  write("ci", ci);
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

describe("the stack ci-NAME of a CI run", () => {
  it("copies the settings of the stack ci, and reports it once", () => {
    expect(copyCiConfig("ci-17", folder)).toBe("settings: Pulumi.ci-17.yaml is a copy of Pulumi.ci.yaml");
    expect(read("ci-17")).toMatch(/^# A copy of Pulumi\.ci\.yaml \([0-9a-f]{16}\)\. It follows that one/);
    expect(settingsIn(read("ci-17"))).toBe(settingsIn(ci));
    expect(copyCiConfig("ci-17", folder)).toBeUndefined();
  });

  it("copies them again when they change, even after the CLI has written its salt", () => {
    copyCiConfig("ci-17", folder);
    write("ci-17", salted(read("ci-17")));
    expect(copyCiConfig("ci-17", folder)).toBeUndefined();
    write("ci", ci.replace("2048", "3000"));
    expect(copyCiConfig("ci-17", folder)).toBeDefined();
    expect(read("ci-17")).toContain("ollamaMemoryMiB: 3000");
    expect(read("ci-17")).not.toContain("encryptionsalt");
  });

  it("keeps its own setting, or its own file", () => {
    copyCiConfig("ci-17", folder);
    write("ci-17", read("ci-17").replace("2048", "1024"));
    write("ci-own", "config: {}\n");
    write("ci", ci.replace("2048", "3000"));
    expect(copyCiConfig("ci-17", folder)).toBeUndefined();
    expect(copyCiConfig("ci-own", folder)).toBeUndefined();
    expect(read("ci-17")).toContain("1024");
    expect(read("ci-own")).toBe("config: {}\n");
  });

  it("is ignored by git, unlike the stack ci", () => {
    expect(execFileSync("git", ["check-ignore", "Pulumi.ci-17.yaml"], { encoding: "utf8" })).toBe(
      "Pulumi.ci-17.yaml\n",
    );
    expect(spawnSync("git", ["check-ignore", "Pulumi.ci.yaml"]).status).toBe(1);
  });
});

it("copies no settings for other stacks", () => {
  for (const stack of ["ci", "citrus", "dev-1"]) expect(copyCiConfig(stack, folder)).toBeUndefined();
  expect(existsSync(file("dev-1"))).toBe(false);
});

describe("a stack's file", () => {
  it("is restored if the CLI only added its salt and quoted the numbers", () => {
    write("prod", ci);
    const script = `import { keepStackFile } from "./scripts/stack/stack-file.ts";
import { writeFileSync } from "node:fs";
keepStackFile(process.argv[1]);
writeFileSync(process.argv[1], process.argv[2]);`;
    const run = (after: string) => {
      execFileSync(process.execPath, ["--input-type=module", "--eval", script, file("prod"), after]);
      return read("prod");
    };
    expect(run(salted(ci))).toBe(ci);
    // A changed setting is the user's.
    const changed = salted(ci.replace("2048", "1024"));
    expect(run(changed)).toBe(changed);
  });
});
