import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { settingOf, stacksOnClusters } from "../../../scripts/stack/stack-file.ts";

const folder = mkdtempSync(join(tmpdir(), "ollama-stack-stack-file-"));
afterAll(() => {
  rmSync(folder, { recursive: true });
});
const broken = join(folder, "Pulumi.broken.yaml");
writeFileSync(join(folder, "Pulumi.a.yaml"), "config:\n  ollama-stack:engine: kubernetes\n");
writeFileSync(broken, 'config:\n  ollama-stack:engine: "kubernetes\n');
writeFileSync(join(folder, "Pulumi.c.yaml"), "config:\n  ollama-stack:engine: docker\n");
writeFileSync(join(folder, "Pulumi.d.yaml"), "config:\n  ollama-stack:engine: kubernetes\n");

it("finds the stacks on clusters, and names a file that is not YAML", () => {
  const problems: string[] = [];
  expect(stacksOnClusters((problem) => problems.push(problem), folder).toSorted()).toEqual(["a", "d"]);
  expect(problems).toHaveLength(1);
  expect(problems[0]).toContain(`${broken} is not valid YAML: `);
  expect(problems[0]).toMatch(/[^:]\. Correct it\.$/);
});

it("names the file of a setting that cannot be read", () => {
  expect(() => settingOf("broken", "engine", broken)).toThrow(`${broken} is not valid YAML: `);
});
